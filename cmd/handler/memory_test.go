package main_test

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"dds-backup-delete/internal/lambdatest"
)

// A function of 128 MB lives through the largest payload that Lambda delivers, with room to spare.
func TestTheLargestPayload(t *testing.T) {
	if testing.Short() {
		t.Skip("6,500 deletions take seconds")
	}
	const records, most = 6500, 80 // MB
	w := start(t, nil)
	var all []string
	for i := range records {
		n := strconv.Itoa(i)
		all = append(all, strings.Replace(record("m"+n, "backup-"+n), `"r"`, `"`+strings.Repeat("J", 300)+`"`, 1))
	}
	payload := `{"Records":[` + strings.Join(all, ",") + `]}`
	result, err := w.function.Invoke(t.Context(), lambdatest.Invocation{Payload: []byte(payload), RequestID: "large", Timeout: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var reply struct{ BatchItemFailures []json.RawMessage }
	if err := json.Unmarshal(result.Payload, &reply); err != nil || len(reply.BatchItemFailures) > 0 {
		t.Errorf("error %v, %d of %d given back", err, len(reply.BatchItemFailures), records)
	}
	if got := len(w.bus.Taken()); got != records {
		t.Errorf("%d outcomes", got)
	}
	if peak := peakMB(t, w.function.Pid()); peak > most {
		t.Errorf("a payload of %d bytes took %d MB, want %d at most", len(payload), peak, most)
	}
}

// peakMB returns the most memory that a process had resident; 0 if this system does not say.
func peakMB(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb >> 10
}
