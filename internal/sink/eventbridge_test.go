package sink_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/sink/sinktest"
)

func TestEventBridgeEntries(t *testing.T) {
	server := sinktest.NewEventBridge(nil)
	defer server.Close()
	full := deletion.Event{
		ID: "id", Type: "dds.backup.deletion.accepted.v1", Source: "urn:huaweicloud:dds:cn-north-4:project", Subject: "backup",
		TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", JSON: []byte(`{"id":"id","data":{"żółw":"<&>"}}`),
	}
	bare := deletion.Event{ID: "id2", Type: "dds.backup.deletion.rejected.v1", Source: "urn:huaweicloud:dds:cn-north-4:project", JSON: []byte(`{"id":"id2"}`)}
	for i, err := range eventBridge(server.URL).Publish(t.Context(), []deletion.Event{full, bare}) {
		if err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
	want := []sinktest.Entry{
		{
			EventBusName: bus, Source: "our.source", DetailType: full.Type, Detail: string(full.JSON), TraceHeader: full.TraceHeader,
			Resources: []string{"urn:huaweicloud:dds:cn-north-4:project:backup"},
		},
		{EventBusName: bus, Source: "our.source", DetailType: bare.Type, Detail: string(bare.JSON)},
	}
	if diff := cmp.Diff(want, server.Taken()); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}
