package ledgertest

import (
	"reflect"
	"testing"
	"time"

	"dds-backup-delete/internal/deletion"
)

// Pass moves every time in the items that have something due into the past, as if so much time had passed since
// they were written. A process whose clock cannot be set then finds due what would be due later.
func Pass(t *testing.T, l deletion.Ledger, passed time.Duration) {
	t.Helper()
	for _, key := range Agenda(t, l) {
		for old := Get(t, l, key); old != nil; { // again if a write came late, for example that of a process that was killed
			next := old.Clone()
			// What a clone shares with the item is moved in a copy.
			copied, err := deletion.ParsePlan(old.Plan.Text())
			if err != nil {
				t.Fatal(err)
			}
			next.Plan = copied
			moveTimes(reflect.ValueOf(next).Elem(), -passed)
			if old, err = l.Swap(t.Context(), old, next); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Agenda returns the keys of all items that have something due, at whatever time.
func Agenda(t *testing.T, l deletion.Ledger) (keys []deletion.Key) {
	t.Helper()
	for _, kind := range []deletion.Agenda{deletion.Checks, deletion.Deletions} {
		for cursor := ""; ; {
			page, next, err := l.Due(t.Context(), kind, time.Now().AddDate(1, 0, 0), 100, cursor)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, page...)
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	return keys
}

// moveTimes moves every time in a value that is set.
func moveTimes(v reflect.Value, by time.Duration) {
	switch at, isTime := v.Interface().(time.Time); {
	case isTime && !at.IsZero():
		v.Set(reflect.ValueOf(at.Add(by)))
	case isTime:
	case v.Kind() == reflect.Pointer && !v.IsNil():
		moveTimes(v.Elem(), by)
	case v.Kind() == reflect.Struct:
		for n := range v.NumField() {
			moveTimes(v.Field(n), by)
		}
	case v.Kind() == reflect.Slice:
		for n := range v.Len() {
			moveTimes(v.Index(n), by)
		}
	case v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			moved := reflect.New(v.Type().Elem()).Elem()
			moved.Set(v.MapIndex(key))
			moveTimes(moved, by)
			v.SetMapIndex(key, moved)
		}
	}
}
