package httpapi

import (
	"fmt"
	"net/http"
	"strconv"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/strictjson"
)

// readPost finds what a POST asks for. Its body says it, and the query what the body leaves out.
func (r *request) readPost(onlyEvents bool) *Call {
	if r.Method != http.MethodPost {
		return r.notAllowed(http.MethodPost)
	}
	media, err := r.media(onlyEvents)
	if err != nil {
		response := r.problem(http.StatusUnsupportedMediaType, err.Error())
		response.Header["Accept"] = acceptedInBodies
		return answered(response)
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return rejected(r, err.Error())
	}
	if r.size > MaxBody {
		return r.refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has %d bytes; expected %d at most", r.size, MaxBody))
	}
	if r.front.BodyFault != "" {
		return rejected(r, r.front.BodyFault)
	}
	call, namesDryRun := r.readBody(media)
	if err := query.addToAll(call.Requests, namesDryRun); err != nil {
		return rejected(r, err.Error())
	}
	return call
}

// readBody finds what the body of a POST asks for, and reports whether that has the member dry_run.
func (r *request) readBody(media string) (call *Call, namesDryRun bool) {
	if media == mediaEvent || r.isBinary() {
		return r.readEvents([]strictjson.Value{nil})
	}
	if media == mediaEventBatch {
		value, err := strictjson.Parse(r.body)
		var events []strictjson.Value
		if err == nil {
			events, err = value.Array()
		}
		if err == nil && len(events) > body.MaxList {
			err = fmt.Errorf("%d events, want %d at most", len(events), body.MaxList)
		}
		if err != nil {
			return r.refuse(http.StatusBadRequest, "the body is "+err.Error()), false
		}
		return r.readEvents(events)
	}
	c := r.reader.Read(r.body, r.base())
	call = &Call{Requests: c.Requests, answer: answerOne}
	switch {
	case c.OwnEvent != "":
		return r.refuse(http.StatusBadRequest, c.OwnEvent), false
	case c.List:
		call.answer = answerList
	}
	return call, c.NamesDryRun
}

// readEvents reads CloudEvents; one that is nil is the body itself. Own outcome events among them are
// dropped.
func (r *request) readEvents(events []strictjson.Value) (call *Call, namesDryRun bool) {
	var requests []deletion.Request
	several := len(events) != 1
	for i, event := range events {
		base := r.base()
		if several {
			base.Field = "[" + strconv.Itoa(i) + "]"
		}
		var c body.Content
		switch {
		case r.isBinary():
			c = r.reader.ReadBinary(r.body, base, r.attributes)
		case event == nil:
			c = r.reader.ReadEventText(r.body, base)
		default:
			c = r.reader.ReadEvent(event, base)
		}
		several, namesDryRun = several || c.List, namesDryRun || c.NamesDryRun
		if c.OwnEvent != "" && !several {
			return r.refuse(http.StatusBadRequest, c.OwnEvent), false
		}
		if requests = append(requests, c.Requests...); len(requests) > body.MaxList {
			return r.refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the events ask for more than %d deletions", body.MaxList)), false
		}
	}
	return &Call{Requests: requests, answer: func(outcomes []deletion.Outcome) *Response {
		if several {
			return answerEvents(outcomes, r.accepts(mediaEventBatch))
		}
		return answerEvent(&outcomes[0], r.accepts(mediaEvent) || r.prefersReply())
	}}, namesDryRun
}
