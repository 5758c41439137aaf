package awssink

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
)

func TestMessages(t *testing.T) {
	e := deletion.Event{
		ID: "id", Type: "dds.backup.deletion.accepted.v1", Subject: "backup", TraceHeader: "Root=1-a-b",
		Status: deletion.Accepted, ProjectID: "project",
		JSON: []byte(`{"id":"id","data":{"status":"accepted","project_id":"project"}}`),
	}
	attributes := map[string]string{"type": e.Type, "status": "accepted", "project_id": "project"}
	nameless := deletion.Event{ID: "id", Type: "dds.backup.deletion.rejected.v1", Status: deletion.Rejected, JSON: []byte(`{"data":{"status":"rejected","project_id":""}}`)}
	for name, tc := range map[string]struct {
		event deletion.Event
		fifo  bool
		want  message
	}{
		"standard": {e, false, message{string(e.JSON), attributes, "", "", "Root=1-a-b"}},
		"FIFO":     {e, true, message{string(e.JSON), attributes, "backup", "id", "Root=1-a-b"}},
		"FIFO, no backup, no project": {nameless, true, message{
			string(nameless.JSON), map[string]string{"type": nameless.Type, "status": "rejected"}, "id", "id", "",
		}},
	} {
		if diff := cmp.Diff(tc.want, newMessage(&tc.event, tc.fifo), cmp.AllowUnexported(message{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestMessageSize(t *testing.T) {
	m := message{body: "żółw", attributes: map[string]string{"status": "accepted"}, group: "g", id: "i", trace: "t"}
	if got, want := messageSize(&m), 7+len("status")+len("String")+len("accepted"); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

func TestAnswersAreReadByEntry(t *testing.T) {
	no := errors.New("no")
	type said struct {
		id  string
		err error
	}
	for name, tc := range map[string]struct {
		said   []said
		failed [2]bool
	}{
		"both taken, in any order": {[]said{{"1", nil}, {"0", nil}}, [2]bool{}},
		"one refused":              {[]said{{"0", nil}, {"1", no}}, [2]bool{false, true}},
		"one left out":             {[]said{{"1", nil}}, [2]bool{true, false}},
		"nothing said":             {nil, [2]bool{true, true}},
		"taken and refused":        {[]said{{"0", nil}, {"0", no}, {"1", nil}}, [2]bool{true, false}},
		"refused and taken":        {[]said{{"0", no}, {"0", nil}, {"1", nil}}, [2]bool{true, false}},
		"taken twice":              {[]said{{"0", nil}, {"0", nil}, {"1", nil}}, [2]bool{true, false}},
		"one more than sent":       {[]said{{"0", nil}, {"1", nil}, {"2", nil}}, [2]bool{true, true}},
		"a number spelled oddly":   {[]said{{"0", nil}, {"01", nil}}, [2]bool{true, true}},
		"no number":                {[]said{{"0", nil}, {"1", nil}, {"", no}}, [2]bool{true, true}},
	} {
		a := newAnswer("Call")
		for _, s := range tc.said {
			a.add(s.id, s.err)
		}
		results := a.results(2)
		if got := [2]bool{results[0] != nil, results[1] != nil}; got != tc.failed {
			t.Errorf("%s: failed %v, want %v", name, got, tc.failed)
		}
	}
}
