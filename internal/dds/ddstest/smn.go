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

// publish works the Publish call of SMN.
func (s *Server) publish(r *request) *answer {
	urn := r.segments[4]
	var in struct {
		Subject    string `json:"subject"`
		Message    string `json:"message"`
		TimeToLive string `json:"time_to_live"`
		Attributes []struct {
			Name, Type, Value string
		} `json:"message_attributes"`
	}
	err := json.Unmarshal(r.body, &in)
	seconds, notSeconds := strconv.Atoi(in.TimeToLive)
	m := Message{TopicURN: urn, Subject: in.Subject, Message: in.Message, Attributes: make(map[string]string), AccessKey: r.accessKey}
	attributesFit := len(in.Attributes) <= maxAttributes
	for _, a := range in.Attributes {
		_, twice := m.Attributes[a.Name]
		attributesFit = attributesFit && !twice && len(a.Name) <= 32 && attributeName.MatchString(a.Name) && a.Type == "STRING" && attributeValue.MatchString(a.Value)
		m.Attributes[a.Name] = a.Value
	}
	switch {
	case r.segments[1] != s.project:
		return refuse(http.StatusForbidden, "SMN.0001", "No permission to request resources.")
	case !strings.HasPrefix(urn, "urn:smn:") || strings.Count(urn, ":") != 4 || err != nil:
		return refuse(http.StatusBadRequest, "SMN.0005", "Parameter: TopicUrn is invalid.")
	case !strings.HasPrefix(urn, s.prefix):
		return refuse(http.StatusNotFound, "SMN.0006", "Topic not found.")
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"), len(in.Subject) > maxSubject, in.Message == "", len(in.Message) > maxMessage,
		in.TimeToLive != "" && (notSeconds != nil || seconds < 1 || seconds > maxTimeToLive), !attributesFit:
		return refuse(http.StatusBadRequest, "SMN.0009", "Parameter: Message is invalid.") // which code belongs to which is not simulated
	}
	if s.topics.refuse != nil {
		if status, code := s.topics.refuse(m); status != 0 {
			return refuse(status, code, "refused by the test")
		}
	}
	s.topics.mu.Lock()
	defer s.topics.mu.Unlock()
	s.taken = append(s.taken, m)
	return succeed(map[string]string{"request_id": r.id, "message_id": newRequestID()})
}
