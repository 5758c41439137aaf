package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/spelling"
)

// PostJSON sends a signed POST for a project to a service of Huawei Cloud, once, and returns the body of a success. Its
// error is a [*deletion.Error].
type PostJSON func(ctx context.Context, projectID string, body []byte, path ...string) (answer []byte, err error)

// NewSMN returns a sink for a topic of Huawei Cloud Simple Message Notification, in the region that post calls.
//
// https://support.huaweicloud.com/intl/en-us/api-smn/PublishMessage.html
func NewSMN(projectID, topicURN string, post PostJSON) deletion.Sink {
	return &Batcher[[]byte]{
		MaxEntries: 1,
		Entry:      smnBody,
		Size:       func(body *[]byte) int { return len(*body) },
		Send: func(ctx context.Context, bodies [][]byte) []error {
			ctx, cancel := context.WithTimeout(ctx, tryTime)
			defer cancel()
			answer, err := post(ctx, projectID, bodies[0], "v2", projectID, "notifications", "topics", topicURN, "publish")
			if err != nil {
				return []error{smnError(err)}
			}
			var taken struct {
				MessageID string `json:"message_id"`
			}
			if json.Unmarshal(answer, &taken) != nil || taken.MessageID == "" {
				return []error{errors.New("SMN: the answer has no message id")}
			}
			return []error{nil}
		},
	}
}

// smnAttribute is what a subscription can filter by.
type smnAttribute struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// smnRetention is how long, in seconds, SMN tries to deliver a message: the longest time that it takes. Its own default
// is an hour.
const smnRetention = "86400"

// smnBody returns the body of the call that publishes an event. The event is the message. Of the attributes that the
// other sinks have, the type does not fit: SMN takes up to 32 letters, digits and underscores.
func smnBody(e *deletion.Event) []byte {
	message := struct {
		Subject    string         `json:"subject"` // of an email
		Message    string         `json:"message"`
		TimeToLive string         `json:"time_to_live"`
		Attributes []smnAttribute `json:"message_attributes,omitempty"`
	}{Subject: e.Type, Message: string(e.JSON), TimeToLive: smnRetention}
	for _, a := range []smnAttribute{{Name: "status", Value: string(e.Status)}, {Name: "project_id", Value: e.ProjectID}} {
		if a.Value != "" && len(a.Value) <= 32 && spelling.Only(a.Value, spelling.Letters+spelling.Digits+"_") {
			a.Type = "STRING"
			message.Attributes = append(message.Attributes, a)
		}
	}
	body, _ := json.Marshal(message) //nolint:errchkjson // texts cannot fail
	return body
}

// smnError returns the error of an event that SMN did not take. The codes of SMN do not matter: what is throttled, or
// has no verdict, is sent again, and everything else would be refused again within the time of a [Batcher], a key that is
// left alone too.
func smnError(err error) error {
	e, ok := errors.AsType[*deletion.Error](err)
	if !ok {
		return fmt.Errorf("SMN: %w", err)
	}
	switch e.HTTPStatus {
	case 0:
		err = fmt.Errorf("SMN: %w", err)
	case http.StatusForbidden:
		err = fmt.Errorf("SMN: HTTP status 403, needs the permission smn:topic:publish: %w", err)
	default:
		err = fmt.Errorf("SMN: HTTP status %d: %w", e.HTTPStatus, err)
	}
	switch e.Class {
	case deletion.ClassThrottled, deletion.ClassUnavailable, deletion.ClassConflict:
		return &PublishError{Err: err, Wait: e.RetryAfter}
	default:
		return Permanent(err)
	}
}
