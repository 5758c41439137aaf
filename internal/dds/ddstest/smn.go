package ddstest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Message is a message that was published to a topic of SMN.
type Message struct {
	TopicURN, Subject, Message string
	Attributes                 map[string]string // of type STRING
	AccessKey                  string            // that signed the call
}

// topics are those of SMN. Every name in the project and region of the server is one.
type topics struct {
	prefix string // of their URNs
	refuse func(Message) (status int, code string)

	mu    sync.Mutex
	taken []Message
}

// Messages returns what was published so far.
func (t *topics) Messages() []Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.taken)
}

// The documented rules. The pages differ about the longest time to live; this is the stricter one.
//
// https://support.huaweicloud.com/intl/en-us/api-smn/PublishMessage.html
const (
	maxSubject    = 512
	maxMessage    = 256 << 10
	maxTimeToLive = 24 * 3600
	maxAttributes = 10
)

var (
	attributeName  = regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)
	attributeValue = regexp.MustCompile(`^[A-Za-z0-9_]{1,32}$`) // Chinese characters are not simulated
)

// publish works the Publish call of SMN. Which of its codes stands for which wrong parameter is not simulated.
func (s *Server) publish(r *request) *answer {
	m, ok := r.message()
	switch {
	case r.segments[1] != s.project:
		return refuse(http.StatusForbidden, "SMN.0001", "No permission to request resources.")
	case !strings.HasPrefix(m.TopicURN, "urn:smn:") || strings.Count(m.TopicURN, ":") != 4:
		return refuse(http.StatusBadRequest, "SMN.0005", "Parameter: TopicUrn is invalid.")
	case !strings.HasPrefix(m.TopicURN, s.prefix):
		return refuse(http.StatusNotFound, "SMN.0006", "Topic not found.")
	case !ok:
		return refuse(http.StatusBadRequest, "SMN.0009", "Parameter: Message is invalid.")
	}
	return s.keep(m, r.id)
}

// message reads a message, and reports whether it keeps the rules.
func (r *request) message() (m Message, ok bool) {
	var in struct {
		Subject    string `json:"subject"`
		Message    string `json:"message"`
		TimeToLive string `json:"time_to_live"`
		Attributes []struct {
			Name, Type, Value string
		} `json:"message_attributes"`
	}
	err := json.Unmarshal(r.body, &in)
	m = Message{TopicURN: r.segments[4], Subject: in.Subject, Message: in.Message, Attributes: make(map[string]string), AccessKey: r.accessKey}
	ok = err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") &&
		len(in.Subject) <= maxSubject && in.Message != "" && len(in.Message) <= maxMessage && len(in.Attributes) <= maxAttributes
	if in.TimeToLive != "" {
		seconds, err := strconv.Atoi(in.TimeToLive)
		ok = ok && err == nil && seconds >= 1 && seconds <= maxTimeToLive
	}
	for _, a := range in.Attributes {
		_, twice := m.Attributes[a.Name]
		ok = ok && !twice && len(a.Name) <= 32 && attributeName.MatchString(a.Name) && a.Type == "STRING" && attributeValue.MatchString(a.Value)
		m.Attributes[a.Name] = a.Value
	}
	return m, ok
}

// keep takes a message, unless the test refuses it.
func (t *topics) keep(m Message, requestID string) *answer {
	if t.refuse != nil {
		if status, code := t.refuse(m); status != 0 {
			return refuse(status, code, "refused by the test")
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken = append(t.taken, m)
	return succeed(map[string]string{"request_id": requestID, "message_id": newRequestID()})
}
