package body

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// maxEnvelopes is how many envelopes are opened, one inside the other.
const maxEnvelopes = 5

// Read reads the requests of a text that is an object or an array of objects. What the message that
// holds the text says of all its requests is in base; an envelope in the text may say it more exactly.
func (r *Reader) Read(text []byte, base deletion.Request) Content {
	value, err := strictjson.Parse(text)
	if err != nil {
		return unreadable(text, base, err)
	}
	return r.ReadValue(value, base)
}

// unreadable is the content of a text that is not JSON.
func unreadable(text []byte, base deletion.Request, err error) Content {
	return dropOwnEvents(Invalid(base, "the body is "+err.Error()), text, nil)
}

// ReadValue is [Reader.Read] for a value that was parsed before.
func (r *Reader) ReadValue(value strictjson.Value, base deletion.Request) Content {
	return r.openAny(wrapped{"the body", value, base}, maxEnvelopes)
}

// ReadNotification reads the requests of what an SNS topic delivers, from its members.
func (r *Reader) ReadNotification(members strictjson.Object, base deletion.Request) Content {
	inner, refused := notification(members, base)
	if refused != nil {
		return *refused
	}
	return r.openAny(inner, maxEnvelopes-1)
}

// ReadEventText reads the requests of a text that must be a CloudEvent in structured mode.
func (r *Reader) ReadEventText(text []byte, base deletion.Request) Content {
	value, err := strictjson.Parse(text)
	if err != nil {
		return unreadable(text, base, err)
	}
	return r.ReadEvent(value, base)
}

// ReadEvent is [Reader.ReadEventText] for a value that was parsed before, for example in a batch.
func (r *Reader) ReadEvent(value strictjson.Value, base deletion.Request) Content {
	if members, err := value.Object(); err == nil && !members.Has("specversion") {
		return dropOwnEvents(Invalid(base, "the body is no CloudEvent in structured mode, as its Content-Type says"), value, members)
	}
	return r.open(wrapped{"the body", value, base}, maxEnvelopes)
}

// openAny reads the requests of a value that is an object or an array of objects, in that many
// envelopes at the most.
func (r *Reader) openAny(w wrapped, envelopes int) Content {
	if w.value.Kind() == "array" {
		return r.openList(w, envelopes)
	}
	return r.open(w, envelopes)
}

// open reads the requests of an object, out of whatever envelopes it is in. The innermost envelope's
// id becomes the request id, because that is the id its sender received.
func (r *Reader) open(w wrapped, envelopes int) Content {
	members, err := w.value.Object()
	var c Content
	switch other := services.Other(members); {
	case err != nil:
		c = Invalid(w.base, w.name+" is "+err.Error())
	case envelopes < 0:
		c = Invalid(w.base, fmt.Sprintf("it is in more than %d envelopes", maxEnvelopes))
	case other != "":
		c = Invalid(w.base, "it is "+other+", which asks for no deletion")
	case isWrapped(members):
		inner, done := unwrap(members, w.base)
		if done != nil {
			return *done
		}
		return r.openAny(inner, envelopes-1)
	case members.Has("specversion"):
		c = r.ofCloudEvent(structured(members), w.base)
	case members.Has("detail-type"):
		c = r.ofBusEvent(members, w.base)
	default:
		c = ofPlain(members, w.base)
	}
	return dropOwnEvents(c, w.value, members)
}

// openList reads the requests of an array, one or more from each element. Own outcome events among
// them are dropped. An array without any request is invalid as a whole.
func (r *Reader) openList(w wrapped, envelopes int) Content {
	elements, err := w.value.Array()
	switch {
	case err != nil:
	case len(elements) == 0 || len(elements) > MaxList:
		err = fmt.Errorf("an array of %d elements; expected 1 to %d", len(elements), MaxList)
	case !slices.ContainsFunc(elements, MayBeRequest):
		err = errors.New("an array in which no element is a request; the first is " + Describe(elements[0]))
	}
	if err != nil {
		return dropOwnEvents(Invalid(w.base, w.name+" is "+err.Error()), w.value, nil)
	}
	c := Content{List: true}
	for i, element := range elements {
		base := w.base
		base.Field += "[" + strconv.Itoa(i) + "]"
		part := r.open(wrapped{"it", element, base}, envelopes)
		if c.OwnEvent == "" {
			c.OwnEvent = part.OwnEvent
		}
		c.NamesDryRun = c.NamesDryRun || part.NamesDryRun
		if c.Requests = append(c.Requests, part.Requests...); len(c.Requests) > MaxList {
			return Invalid(w.base, fmt.Sprintf("%s asks for more than %d deletions", w.name, MaxList))
		}
	}
	return c
}

// ofBusEvent reads the requests of an event of an EventBridge bus, which others may read as well: its
// type must say that it is a request. The detail is a plain request or a whole CloudEvent.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
func (r *Reader) ofBusEvent(members strictjson.Object, base deletion.Request) Content {
	if id, _ := members.Text("id"); IsID(id) {
		base.ID = id
	}
	if detailType, _ := members.Text("detail-type"); detailType != r.requestType() {
		return Invalid(base, fmt.Sprintf("it is an event of detail-type %q; expected %q", strictjson.Shorten(detailType), r.requestType()))
	}
	detail, ok := members.Get("detail")
	if !ok {
		return Invalid(base, "detail: missing; expected a JSON object")
	}
	inner, err := detail.Object()
	if err != nil {
		return Invalid(base, "detail: "+err.Error())
	}
	if inner.Has("specversion") {
		return r.ofCloudEvent(structured(inner), base)
	}
	return ofPlain(inner, base)
}
