package dds_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

const topicURN = "urn:smn:" + ddstest.Region + ":" + ddstest.ProjectID + ":outcomes"

func publish(ctx context.Context, client *dds.Client, server *ddstest.Server) error {
	_, err := client.Post(ctx, server.URL(), ddstest.ProjectID, []byte(`{"message":"m"}`), "v2", ddstest.ProjectID, "notifications", "topics", topicURN, "publish")
	return err
}

// A call to another service has everything of a call to DDS but its pace and its retries. The body goes out with each
// try, and is signed.
func TestPost(t *testing.T) {
	keys := dds.Credentials{AccessKey: secret.New("INVOCATIONKEY00000001"), SecretKey: secret.New("secret-key-of-an-invocation-000000001"), SecurityToken: secret.New("token-of-an-invocation-000001")}
	for name, tc := range map[string]struct {
		server  ddstest.Options
		options func(*dds.Options)
		prepare func(*ddstest.Server)
		calls   int
	}{
		"a wrong clock": {prepare: func(s *ddstest.Server) { s.SetSkew(time.Hour) }, calls: 2},
		"keys that were replaced": {
			options: func(o *dds.Options) {
				o.Credentials, o.Renew = keys, func(context.Context) (dds.Credentials, error) {
					return dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)}, nil
				}
			},
			calls: 2,
		},
		"the keys of an invocation": {
			options: func(o *dds.Options) { o.Credentials = dds.Credentials{} },
			prepare: func(s *ddstest.Server) {
				s.AddKeys(keys.AccessKey.Reveal(), keys.SecretKey.Reveal(), keys.SecurityToken.Reveal())
			},
			calls: 1,
		},
		"a token": {
			server: ddstest.Options{Token: "an-iam-token-0000001"},
			options: func(o *dds.Options) {
				o.Credentials = dds.Credentials{Token: secret.New("an-iam-token-0000001")}
			},
			calls: 1,
		},
		"the rate of DDS": {
			options: func(o *dds.Options) {
				o.Rate = 1e-9
				o.Observe = func(time.Duration, deletion.Class) { t.Error("it counts as a call to DDS") }
			},
			calls: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tc.server)
			if tc.prepare != nil {
				tc.prepare(server)
			}
			if err := publish(dds.WithCredentials(limited(t), keys), connect(t, server, tc.options), server); err != nil {
				t.Fatal(err)
			}
			if n := len(server.Calls()); n != tc.calls || len(server.Messages()) != 1 {
				t.Errorf("%d calls, %d messages", n, len(server.Messages()))
			}
		})
	}
}

// An error of SMN proves the key, so the calls that waited for it go out.
func TestPostErrors(t *testing.T) {
	server := serve(t, ddstest.Options{})
	client := connect(t, server, nil)
	server.Inject(ddstest.Answer(http.StatusForbidden, "SMN.0001", "No permission to request resources.").Repeat(-1))
	errs := make(chan error)
	for range 10 {
		go func() { errs <- publish(limited(t), client, server) }()
	}
	for range 10 {
		err := <-errs
		e, ok := errors.AsType[*deletion.Error](err)
		if !ok || e.Class != deletion.ClassUnknown || e.Code != "SMN.0001" || e.HTTPStatus != http.StatusForbidden || e.DDSRequestID == "" {
			t.Errorf("error %#v", err)
		}
	}
	_, err := client.Post(limited(t), server.URL(), ddstest.ProjectID, nil, "v2", "a/b")
	if e, ok := errors.AsType[*deletion.Error](err); !ok || e.Class != deletion.ClassInvalid || len(server.Calls()) != 10 {
		t.Errorf("a slash in an id: error %v, %d calls", err, len(server.Calls()))
	}
}
