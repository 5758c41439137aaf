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
	query, err := parseQuery(r.parameters, deletionParameters)
	if err != nil {
		return r.rejected(err.Error())
	}
	if r.front.BodyFault != "" {
		return r.rejected(r.front.BodyFault)
	}
	if r.size > MaxBody {
		return r.refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has %d bytes; expected %d at most", r.size, MaxBody))
	}
	call, namesDryRun := r.readBody(media)
	if err := query.addToAll(call.Requests, namesDryRun); err != nil {
		return r.rejected(err.Error())
	}
	return call
}

// readBody finds what the body of a POST asks for, and reports whether that has the member dry_run.
func (r *request) readBody(media string) (call *Call, namesDryRun bool) {
	switch {
	case r.isBinary():
		return r.readEvents(false, r.reader.ReadBinary(r.body, r.base(), r.attributes))
	case media == mediaEvent:
		return r.readEvents(false, r.reader.ReadEventText(r.body, r.base()))
	case media == mediaEventBatch:
		return r.readBatch()
	}
	c := r.reader.Read(r.body, r.base())
	if c.OwnEventReason != "" {
		return r.refuse(http.StatusBadRequest, c.OwnEventReason), false
	}
	call = &Call{Requests: c.Requests, answer: answerOne}
	if c.List { // an error is a result of it, too
		call.answer = func(outcomes []deletion.Outcome) *Response { return resultsResponse(http.StatusMultiStatus, outcomes) }
	}
	return call, c.NamesDryRun
}

// readBatch reads a body that is a batch of CloudEvents.
func (r *request) readBatch() (call *Call, namesDryRun bool) {
	var events []strictjson.Value
	value, err := strictjson.Parse(r.body)
	if err == nil {
		events, err = value.Array()
	}
	if err == nil && len(events) > body.MaxList {
		err = fmt.Errorf("%d events; expected %d at most", len(events), body.MaxList)
	}
	if err != nil {
		return r.refuse(http.StatusBadRequest, "the body is "+err.Error()), false
	}
	several := len(events) != 1
	contents := make([]body.Content, len(events))
	for i, event := range events {
		base := r.base()
		if several {
			base.Field = "[" + strconv.Itoa(i) + "]"
		}
		contents[i] = r.reader.ReadEvent(event, base)
	}
	return r.readEvents(several, contents...)
}

// readEvents joins what CloudEvents ask for. Own outcome events among them are dropped.
func (r *request) readEvents(several bool, contents ...body.Content) (call *Call, namesDryRun bool) {
	call = new(Call)
	for _, c := range contents {
		several, namesDryRun = several || c.List, namesDryRun || c.NamesDryRun
		if c.OwnEventReason != "" && !several {
			return r.refuse(http.StatusBadRequest, c.OwnEventReason), false
		}
		call.Requests = append(call.Requests, c.Requests...)
		if len(call.Requests) > body.MaxList {
			return r.refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the events ask for more than %d deletions", body.MaxList)), false
		}
	}
	call.answer = func(outcomes []deletion.Outcome) *Response {
		if several {
			return answerEvents(outcomes, r.accepts(mediaEventBatch))
		}
		return answerEvent(&outcomes[0], r.accepts(mediaEvent) || r.prefersReply())
	}
	return call, namesDryRun
}
