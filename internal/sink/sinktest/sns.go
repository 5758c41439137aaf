package sinktest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// NewSNS starts the PublishBatch call of Amazon SNS. It fails each entry for which refuse returns a
// refusal, in an answer that otherwise succeeds; nil refuses none.
// https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
func NewSNS(refuse func(Message) *Refusal) *Broker {
	b := &Broker{refuse: refuse}
	b.Server = httptest.NewServer(http.HandlerFunc(b.sns))
	return b
}

func (b *Broker) sns(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	fail := func(code string) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>`+
			`<Code>%s</Code><Message>refused by the test</Message></Error></ErrorResponse>`, code)
	}
	if err := limit(w, r).ParseForm(); err != nil || r.PostForm.Get("Action") != "PublishBatch" {
		fail("InvalidAction")
		return
	}
	results, code := b.take(batchOf(r.PostForm))
	if code != "" {
		fail(code)
		return
	}
	var successful, failed strings.Builder
	for _, result := range results {
		if result.refused != nil {
			fmt.Fprintf(&failed, `<member><Id>%s</Id><Code>%s</Code><Message>refused by the test</Message><SenderFault>%t</SenderFault></member>`,
				result.entry, result.refused.Code, result.refused.SenderFault)
			continue
		}
		fmt.Fprintf(&successful, `<member><Id>%s</Id><MessageId>%s</MessageId></member>`, result.entry, result.id)
	}
	_, _ = fmt.Fprintf(w, `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult>`+
		`<Successful>%s</Successful><Failed>%s</Failed></PublishBatchResult></PublishBatchResponse>`, &successful, &failed)
}

// batchOf reads the entries from a form, in which lists and maps are numbered from 1.
func batchOf(form url.Values) []Message {
	var batch []Message
	for n := 1; ; n++ {
		entry := fmt.Sprintf("PublishBatchRequestEntries.member.%d.", n)
		if !form.Has(entry + "Id") {
			return batch
		}
		m := Message{
			ID: form.Get(entry + "Id"), To: form.Get("TopicArn"), Body: form.Get(entry + "Message"), Attributes: make(map[string]string),
			GroupID: form.Get(entry + "MessageGroupId"), DeduplicationID: form.Get(entry + "MessageDeduplicationId"),
		}
		for k := 1; form.Has(fmt.Sprintf("%sMessageAttributes.entry.%d.Name", entry, k)); k++ {
			attribute := fmt.Sprintf("%sMessageAttributes.entry.%d.", entry, k)
			if form.Get(attribute+"Value.DataType") == "String" {
				m.Attributes[form.Get(attribute+"Name")] = form.Get(attribute + "Value.StringValue")
			}
		}
		batch = append(batch, m)
	}
}
