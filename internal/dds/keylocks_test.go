package dds_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// Many invocations at once, more than there are key locks: every call is signed with the keys of its invocation, and
// a refused key holds back nobody but those who bring it.
func TestCredentialsOfInvocations(t *testing.T) {
	server := serve(t, ddstest.Options{})
	client := connect(t, server, func(o *dds.Options) { o.Credentials = dds.Credentials{} })
	credentials := func(i int) dds.Credentials {
		return dds.Credentials{
			AccessKey: secret.New(fmt.Sprintf("HSTAINVOCATION%06d", i)), SecretKey: secret.New(fmt.Sprintf("secret-key-%d", i)), SecurityToken: secret.New(fmt.Sprintf("token-%d", i)),
		}
	}
	const invocations, tries = 40, 3
	for i := range invocations {
		if c := credentials(i); i%4 != 0 {
			server.AddKeys(c.AccessKey.Reveal(), c.SecretKey.Reveal(), c.SecurityToken.Reveal())
		}
	}
	var all sync.WaitGroup
	for i := range invocations {
		for range tries {
			all.Go(func() {
				_, err := client.DeleteBackup(dds.WithCredentials(limited(t), credentials(i)), target(fmt.Sprintf("b%d", i)), false)
				e := asError(t, err)
				if want := map[bool]deletion.Class{true: deletion.ClassUnauthenticated, false: deletion.ClassNotFound}[i%4 == 0]; e.Class != want {
					t.Errorf("invocation %d: %s %v, want %s", i, e.Class, e, want)
				}
			})
		}
	}
	all.Wait()
	for _, call := range server.Calls() {
		if want := "b" + fmt.Sprint(numberOf(t, call.AccessKey)); call.BackupID != want {
			t.Errorf("%s was signed with the keys of %s", call.BackupID, want)
		}
	}
	before := len(server.Calls())
	_, err := client.DeleteBackup(limited(t), target(backup), false)
	if e := asError(t, err); e.Class != deletion.ClassForbidden || e.MaybeSent || len(server.Calls()) != before {
		t.Errorf("without keys: %+v, and %d calls", e, len(server.Calls())-before)
	}
}

func numberOf(t *testing.T, accessKey string) (i int) {
	t.Helper()
	if _, err := fmt.Sscanf(accessKey, "HSTAINVOCATION%06d", &i); err != nil {
		t.Errorf("signed by %q: %v", accessKey, err)
	}
	return i
}

// Credentials of the client win over those of the context.
func TestOwnCredentialsWin(t *testing.T) {
	server := serve(t, ddstest.Options{})
	ctx := dds.WithCredentials(limited(t), dds.Credentials{AccessKey: secret.New("another"), SecretKey: secret.New("another-key")})
	if _, err := connect(t, server, nil).DeleteBackup(ctx, target(backup), false); err != nil {
		t.Error(err)
	}
	if calls := server.Calls(); len(calls) != 1 || calls[0].AccessKey != ddstest.AccessKey || calls[0].Method != http.MethodDelete {
		t.Errorf("calls %+v", calls)
	}
	if _, err := dds.InvocationCredentials(t.Context()); !errors.As(err, new(*deletion.Error)) {
		t.Errorf("error %v", err)
	}
}
