package dds_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/dds/ddstest"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

var _ deletion.Backups = (*dds.Client)(nil)

func TestLookUp(t *testing.T) {
	begin := time.Date(2026, time.March, 1, 2, 3, 4, 0, time.UTC)
	shown := func(change func(*deletion.Sight)) deletion.Sight {
		s := deletion.Sight{Backup: &deletion.Backup{
			Name: "n", Type: "Manual", Status: "COMPLETED", InstanceID: "i", InstanceName: "in",
			Begin: "2026-03-01 02:03:04", End: "2026-03-01 02:08:04", SizeKB: 7,
		}}
		change(&s)
		return s
	}
	refused := func(s *deletion.Sight, class deletion.Class, message string) {
		s.Refusal = &deletion.Error{Class: class, Message: "REQUIRE_MANUAL: " + message}
	}
	for name, tc := range map[string]struct {
		change  func(*ddstest.Backup)
		options ddstest.Options
		want    deletion.Sight
	}{
		"finished": {want: shown(func(*deletion.Sight) {})},
		"finished, other case": {
			change: func(b *ddstest.Backup) { b.Type, b.Status = "manual", "Completed" },
			want:   shown(func(s *deletion.Sight) { s.Backup.Type, s.Backup.Status = "manual", "Completed" }),
		},
		"failed": {
			change: func(b *ddstest.Backup) { b.Status = "FAILED" },
			want:   shown(func(s *deletion.Sight) { s.Backup.Status = "FAILED" }),
		},
		"building": {
			change: func(b *ddstest.Backup) { b.Status = "Building" },
			want: shown(func(s *deletion.Sight) {
				s.Backup.Status = "Building"
				refused(s, deletion.ClassConflict, `the backup is "Building", want COMPLETED or FAILED`)
			}),
		},
		"restoring": {
			change: func(b *ddstest.Backup) { b.Restoring = true },
			want: shown(func(s *deletion.Sight) {
				refused(s, deletion.ClassConflict, "the instance of the backup is being restored")
			}),
		},
		"automated": {
			change: func(b *ddstest.Backup) { b.Type = "Auto" },
			want: shown(func(s *deletion.Sight) {
				s.Backup.Type = "Auto"
				refused(s, deletion.ClassInvalid, `the backup is of type "Auto", want Manual`)
			}),
		},
		"being deleted": {
			change: func(b *ddstest.Backup) { b.Status = "DISABLED" },
			want:   shown(func(s *deletion.Sight) { s.Backup.Status, s.Deleting = "DISABLED", true }),
		},
		"being deleted, the SDK's word, automated": {
			change: func(b *ddstest.Backup) { b.Status, b.Type = "deleting", "Auto" },
			want: shown(func(s *deletion.Sight) {
				s.Backup.Status, s.Backup.Type, s.Deleting = "deleting", "Auto", true
			}),
		},
		"incremental":           {change: func(b *ddstest.Backup) { b.Type = "Incremental" }},
		"absent":                {change: func(b *ddstest.Backup) { b.ID = "other" }},
		"absent, another case":  {change: func(b *ddstest.Backup) { b.ID = "X" }},
		"absent, with a code":   {change: func(b *ddstest.Backup) { b.ID = "other" }, options: ddstest.Options{AbsentCode: "DBS.201214"}},
		"absent, no instance":   {change: func(b *ddstest.Backup) { b.ID = "other" }, options: ddstest.Options{AbsentCode: "DBS.201502"}},
		"there, codes possible": {options: ddstest.Options{AbsentCode: "DBS.201502"}, want: shown(func(*deletion.Sight) {})},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tc.options)
			b := ddstest.Backup{ID: "x", Name: "n", InstanceID: "i", InstanceName: "in", Begin: begin, SizeKB: 7}
			if tc.change != nil {
				tc.change(&b)
			}
			server.Add(b)
			got, err := connect(t, server, nil).LookUp(limited(t), target("x"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if calls := server.Calls(); len(calls) != 1 || calls[0].Method != http.MethodGet {
				t.Errorf("calls %+v", calls)
			}
		})
	}
}

// A list that does not answer says nothing about the backup, and nothing was sent that could be lost.
func TestLookUpFails(t *testing.T) {
	for name, tc := range map[string]struct {
		fault   ddstest.Fault
		options ddstest.Options
		class   deletion.Class
		says    string
	}{
		"no permission":            {options: ddstest.Options{MayNotList: true}, class: deletion.ClassForbidden, says: "needs the permission dds:backup:list"},
		"reset":                    {fault: ddstest.DropBefore(), class: deletion.ClassUnavailable},
		"a gateway without answer": {fault: ddstest.RawAnswer(504, "text/html", "<html>"), class: deletion.ClassUnavailable},
		"busy":                     {fault: ddstest.Answer(400, "DBS.200998", "busy"), class: deletion.ClassUnavailable},
		// These are not about the backup, so they do not prove that it is absent.
		"no such resource":      {fault: ddstest.Answer(404, "DBS.200002", "why"), class: deletion.ClassUnknown},
		"no such instance":      {fault: ddstest.Answer(400, "DBS.201501", "why"), class: deletion.ClassUnknown},
		"a wrong host":          {fault: ddstest.RawAnswer(404, "text/html", "<html>nginx</html>"), class: deletion.ClassForbidden},
		"a page of a proxy":     {fault: ddstest.RawAnswer(200, "text/html", "<html>"), class: deletion.ClassUnavailable},
		"the wrong parameter":   {fault: ddstest.Answer(400, "DBS.280001", "why"), class: deletion.ClassInvalid},
		"a code in a 200":       {fault: ddstest.RawAnswer(200, "application/json", `{"error_code":"DBS.201214"}`), class: deletion.ClassUnavailable},
		"an ambiguous code":     {fault: ddstest.Answer(400, "DBS.201204", "why"), class: deletion.ClassConflict},
		"an unknown code":       {fault: ddstest.Answer(400, "DBS.999999", "why"), class: deletion.ClassUnknown},
		"a token that is bad":   {fault: ddstest.Answer(401, "DBS.280056", "why"), class: deletion.ClassUnauthenticated},
		"an instance of others": {fault: ddstest.Answer(403, "DBS.200604", "why"), class: deletion.ClassForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tc.options)
			if tc.fault.String() != "" {
				server.Inject(tc.fault.Repeat(-1))
			}
			got, err := connect(t, server, nil).LookUp(limited(t), target(backup))
			if e := asError(t, err); e.Class != tc.class || e.MaybeSent || !strings.Contains(e.Message, tc.says) {
				t.Errorf("error %+v, want class %s", e, tc.class)
			}
			if got != (deletion.Sight{}) {
				t.Errorf("sight %+v", got)
			}
		})
	}
	elsewhere := target(backup)
	elsewhere.Region = "nowhere"
	if _, err := connect(t, serve(t, ddstest.Options{}), nil).LookUp(limited(t), elsewhere); asError(t, err).Class != deletion.ClassInvalid {
		t.Errorf("of a region without an endpoint: error %v", err)
	}
}

// One backup is there or absent as far as the answer shows that, whatever else is in it.
func TestLookUpInOddAnswers(t *testing.T) {
	const plain = `{"id":"x","type":"Manual","status":"COMPLETED"}`
	const other = `{"id":"y","type":"Manual","status":"COMPLETED"}`
	for body, want := range map[string]string{
		`{"backups":[],"total_count":0}`:                   "absent",
		`{"backups":[]}`:                                   "absent",
		`{"backups":[],"total_count":"0"}`:                 "absent",
		`{"backups":[],"total_count":null}`:                "absent",
		`{"backups":[],"total_count":{}}`:                  "absent",
		`{"backups":[],"total_count":1}`:                   "unreadable",
		`{"backups":[],"total_count":"many"}`:              "unreadable",
		`{"backups":[` + other + `],"total_count":1}`:      "absent",
		`{"backups":[` + other + `],"total_count":250}`:    "unreadable",
		`{"backups":[` + other + `]}`:                      "unreadable",
		`{"backups":[null],"total_count":1}`:               "unreadable",
		`{"backups":["x"],"total_count":1}`:                "unreadable",
		`{"backups":[{}],"total_count":1}`:                 "unreadable",
		`{"backups":[{"id":7}],"total_count":1}`:           "unreadable",
		`{"backups":[{"id":"x","status":3,"type":"a"}]}`:   "unreadable",
		`{"backups":[{"id":"x","status":"s","type":[]}]}`:  "unreadable",
		`{"backups":{},"total_count":0}`:                   "unreadable",
		`{"backups":null,"total_count":0}`:                 "unreadable",
		`{"backups":"","total_count":0}`:                   "unreadable",
		`[]`:                                               "unreadable",
		`null`:                                             "unreadable",
		`{}`:                                               "unreadable",
		``:                                                 "unreadable",
		`{"backups":[` + plain:                             "unreadable",
		`{"backups":[` + plain + `]}`:                      "there",
		`{"backups":[` + plain + `],"total_count":{}}`:     "there",
		`{"backups":[` + plain + `],"total_count":"many"}`: "there",
		`{"backups":[null,{},` + other + `,` + plain + `],"total_count":400}`: "there",
	} {
		server := serve(t, ddstest.Options{})
		server.Inject(ddstest.RawAnswer(200, "application/json", body))
		got, err := connect(t, server, nil).LookUp(limited(t), target("x"))
		switch {
		case err != nil:
			if e := asError(t, err); want != "unreadable" || e.Class != deletion.ClassUnavailable || e.MaybeSent || e.HTTPStatus != 200 {
				t.Errorf("%s: error %+v, want it %s", body, e, want)
			}
		case got.Backup == nil && want != "absent", got.Backup != nil && want != "there":
			t.Errorf("%s: sight %+v, want it %s", body, got, want)
		}
	}
}

// An unexpected type of a member that is only shown does not hide the backup.
func TestLookUpWithOddMembers(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for members, want := range map[string]deletion.Backup{
		`"name":7,"instance_name":null,"size":"1024.5","begin_time":{}`: {Name: "7", SizeKB: 1024.5},
		`"instance_id":["i"],"end_time":true,"size":null`:               {},
		`"size":-1`:                       {},
		`"size":"NaN"`:                    {},
		`"size":"Infinity"`:               {},
		`"size":1e999`:                    {},
		`"size":"big"`:                    {},
		`"is_instance_restoring":null`:    {},
		`"is_instance_restoring":"false"`: {},
		`"is_instance_restoring":{}`:      {},
		`"name":"up\ndown\u001b[31m"`:     {Name: "up down [31m"},
		`"name":"` + long + `"`:           {Name: long[:512]},
		`"instance_name":"Access=` + ddstest.SecretKey + `"`: {InstanceName: "Access=REDACTED"},
	} {
		server := serve(t, ddstest.Options{})
		server.Inject(ddstest.RawAnswer(200, "application/json", `{"total_count":1,"backups":[{"id":"x","type":"Manual","status":"FAILED",`+members+`}]}`))
		got, err := connect(t, server, nil).LookUp(limited(t), target("x"))
		want.Type, want.Status = "Manual", "FAILED"
		if err != nil {
			t.Errorf("%s: error %v", members, err)
		} else if diff := cmp.Diff(deletion.Sight{Backup: &want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", members, diff)
		}
	}
	server := serve(t, ddstest.Options{})
	server.Inject(ddstest.RawAnswer(200, "application/json", `{"backups":[{"id":"x","type":"Manual","status":"FAILED","is_instance_restoring":"True"}]}`))
	got, err := connect(t, server, nil).LookUp(limited(t), target("x"))
	if err != nil || got.Refusal == nil || got.Refusal.Class != deletion.ClassConflict {
		t.Errorf("restoring as a text: %+v, error %v", got, err)
	}
}

func TestList(t *testing.T) {
	server := ddstest.NewServer(ddstest.Options{})
	t.Cleanup(server.Close)
	first := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	for i := range 103 {
		server.Add(ddstest.Backup{ID: fmt.Sprint("b", i), Begin: first.AddDate(0, 0, i)})
	}
	server.Add(ddstest.Backup{ID: "b3", Begin: first.AddDate(0, 0, 3), Type: "Auto"}, ddstest.Backup{ID: "b4", Begin: first.AddDate(0, 0, 4), Status: "DISABLED"})
	client := connect(t, server, nil)
	got, err := client.List(limited(t), ddstest.Region, ddstest.ProjectID)
	if err != nil || len(got) != 100 || len(server.Calls()) != 1 {
		t.Fatalf("%d backups after %d calls, error %v", len(got), len(server.Calls()), err)
	}
	for i := range 103 {
		id := fmt.Sprint("b", i)
		sight, listed := got[id]
		if listed != (i >= 3) {
			t.Errorf("%s: listed %v", id, listed)
		}
		if !listed {
			continue
		}
		alone, err := client.LookUp(limited(t), target(id))
		if diff := cmp.Diff(alone, sight); err != nil || diff != "" {
			t.Errorf("%s: error %v; alone and in the list:\n%s", id, err, diff)
		}
	}
}

// What cannot be read of a list is as if it were on another page.
func TestListOfOddAnswers(t *testing.T) {
	server := serve(t, ddstest.Options{})
	client := connect(t, server, nil)
	server.Inject(ddstest.RawAnswer(200, "application/json", `{"total_count":{},"backups":[null,7,{"id":""},{"id":"y","status":{}},
		{"id":"x","type":"Manual","status":"COMPLETED"}]}`))
	got, err := client.List(limited(t), ddstest.Region, ddstest.ProjectID)
	want := map[string]deletion.Sight{"x": {Backup: &deletion.Backup{Type: "Manual", Status: "COMPLETED"}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	server.Inject(ddstest.RawAnswer(200, "application/json", `{}`), ddstest.RawAnswer(502, "text/html", "").Repeat(-1))
	for range 2 {
		got, err = client.List(limited(t), ddstest.Region, ddstest.ProjectID)
		if e := asError(t, err); got != nil || e.Class != deletion.ClassUnavailable || e.MaybeSent {
			t.Errorf("%v, error %+v", got, e)
		}
	}
	mayNot := connect(t, serve(t, ddstest.Options{MayNotList: true}), nil)
	if _, err := mayNot.List(limited(t), ddstest.Region, ddstest.ProjectID); !strings.Contains(asError(t, err).Message, "dds:backup:list") {
		t.Errorf("error %v", err)
	}
}

// A list of all manual backups is not whole if an id cannot be shown, if the list ignores the offset, or if it ends early.
// Without a number of all, it ends with its last page.
func TestManualBackupsOfOddAnswers(t *testing.T) {
	const one, other = `{"id":"x","type":"Manual"}`, `{"id":"y","type":"Manual"}`
	for name, tc := range map[string]struct {
		pages      []string
		listed     string
		unreadable int
	}{
		"an id that moves the cursor":  {[]string{`[` + one + `,{"id":"\u001b[2Jz","type":"Manual"}],"total_count":2`}, "x", 1},
		"the offset is ignored":        {[]string{`[` + one + `],"total_count":2`, `[` + one + `],"total_count":2`}, "x", 1},
		"it ends early":                {[]string{`[` + one + `],"total_count":3`, `[],"total_count":3`}, "x", 2},
		"one is made meanwhile":        {[]string{`[` + one + `,` + other + `],"total_count":3`, `[` + other + `,{"id":"z","type":"Manual"}],"total_count":4`}, "xyz", 0},
		"one is deleted meanwhile":     {[]string{`[` + one + `],"total_count":2`, `[],"total_count":1`}, "x", 0},
		"no number of all":             {[]string{`[` + one + `]`, `[` + other + `]`, `[]`}, "xy", 0},
		"the number cannot be read":    {[]string{`[` + one + `],"total_count":"many"`, `[],"total_count":"many"`}, "x", 0},
		"an automatic one among them":  {[]string{`[{"id":"a","type":"Auto"},` + one + `],"total_count":2`}, "x", 0},
		"an entry that cannot be read": {[]string{`[null,` + one + `],"total_count":2`}, "x", 1},
	} {
		server := serve(t, ddstest.Options{})
		for _, page := range tc.pages {
			server.Inject(ddstest.RawAnswer(200, "application/json", `{"backups":`+page+`}`))
		}
		all, unreadable, err := connect(t, server, nil).ManualBackups(limited(t), ddstest.Region, ddstest.ProjectID)
		listed := ""
		for _, b := range all {
			listed += b.ID
		}
		if err != nil || listed != tc.listed || unreadable != tc.unreadable || len(server.Calls()) != len(tc.pages) {
			t.Errorf("%s: %q after %d calls, %d could not be read, error %v", name, listed, len(server.Calls()), unreadable, err)
		}
	}
}

// oneAnswer is a transport that answers every call in the same way.
type oneAnswer struct {
	status int
	body   string
}

func (a oneAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// No answer to a call that reads is a panic, a lost deletion, or a text that cannot be kept.
func FuzzReadAnswers(f *testing.F) {
	for _, body := range []string{
		`{"backups":[],"total_count":0}`,
		`{"backups":[{"id":"x","type":"Manual","status":"COMPLETED","size":1.5,"is_instance_restoring":true}],"total_count":1}`,
		`{"backups":[null,{"id":7}],"total_count":"1"}`,
		`{"job":{"id":"x","status":"Failed","fail_reason":"why"}}`,
		`{"error_code":"DBS.201214","error_msg":"gone"}`,
		`{"error_code":"DBS.200543"}`,
	} {
		f.Add(200, body)
		f.Add(400, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		client, err := dds.New(dds.Options{
			Endpoints:   map[string]string{ddstest.Region: "http://dds.example"},
			Credentials: dds.Credentials{AccessKey: secret.New(ddstest.AccessKey), SecretKey: secret.New(ddstest.SecretKey)},
			RetryPolicy: func(int, *deletion.Error) (time.Duration, bool) { return 0, false },
			Transport:   oneAnswer{status, body},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx := deletion.InBackground(limited(t)) // a throttled call is not sent again
		sight, lookErr := client.LookUp(ctx, target("x"))
		listed, listErr := client.List(ctx, ddstest.Region, ddstest.ProjectID)
		job, reason, jobErr := client.Job(ctx, target("x"), "x")
		for _, err := range []error{lookErr, listErr, jobErr} {
			if err != nil && (asError(t, err).MaybeSent || asError(t, err).Class == "") {
				t.Errorf("error %+v", err)
			}
		}
		if lookErr == nil && listErr == nil {
			if diff := cmp.Diff(listed["x"], sight); diff != "" {
				t.Errorf("in the list and alone:\n%s", diff)
			}
		}
		if lookErr == nil && sight.Backup != nil {
			text, err := json.Marshal(sight.Backup)
			if err != nil || len(text) > 8<<10 {
				t.Errorf("%d bytes, error %v", len(text), err)
			}
			if !sight.Deleting && sight.Refusal == nil && !strings.EqualFold(sight.Backup.Type, "manual") {
				t.Errorf("may be deleted: %+v", sight.Backup)
			}
		}
		if len(reason) > 512 || reason != "" && job != deletion.JobFailed {
			t.Errorf("job %q, reason of %d bytes", job, len(reason))
		}
	})
}
