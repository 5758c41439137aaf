package dds_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// Every try is observed, also one that fails. A call that is not sent is not observed.
func TestObserve(t *testing.T) {
	server := ddstest.NewServer(ddstest.Options{})
	t.Cleanup(server.Close)
	server.Add(ddstest.SampleBackups()...)
	server.Inject(ddstest.Answer(503, "", "busy"))
	var mu sync.Mutex
	var classes []deletion.Class
	client, err := dds.New(dds.Options{
		Endpoints:   map[string]string{"": server.URL()},
		Credentials: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)},
		RetryPolicy: func(_ int, err *deletion.Error) (time.Duration, bool) {
			return 0, err.Class == deletion.ClassUnavailable
		},
		Observe: func(took time.Duration, class deletion.Class) {
			mu.Lock()
			defer mu.Unlock()
			if took <= 0 {
				t.Errorf("a call took %v", took)
			}
			classes = append(classes, class)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{ddstest.SampleBackups()[0].ID, "00000000000000000000000000000000br02", "a/b"} {
		_, _ = client.DeleteBackup(t.Context(), deletion.Target{ProjectID: ddstest.ProjectID, BackupID: id}, false) // the calls are what counts
	}
	if want := []deletion.Class{deletion.ClassUnavailable, "", deletion.ClassNotFound}; !slices.Equal(classes, want) || len(server.Calls()) != len(want) {
		t.Errorf("classes %v of %d calls, want %v", classes, len(server.Calls()), want)
	}
}
