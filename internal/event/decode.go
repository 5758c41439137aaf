package event

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"dds-backup-delete/internal/body"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// maxPayload bounds, in bytes, a payload: Lambda's own limit.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxPayload = 6_291_556

// sources are tried in this order.
var sources = []source{
	sqs, sns, kafka, rabbitMQ, activeMQ, alb, functionURL, httpAPI, restAPI, apig, smn, dmsKafka, timer,
	tick, eventBridge, cloudEvents, eventGrid, direct,
}

// Decode finds the source of a payload by its members and reads its requests.
//
// A part of a payload that is not a valid request becomes a request that carries an error; an error of
// Decode itself, always a [*FunctionError], means that the payload is refused as a whole.
func (d *Decoder) Decode(text []byte, in Invocation) (*Batch, error) {
	in.ID, in.TraceHeader = body.CleanID(in.ID), body.TraceHeader(in.TraceHeader)
	from, p, err := recognise(text, in)
	if err != nil {
		return nil, newError(deletion.ClassInvalid, "the payload is "+err.Error())
	}
	batch, err := from.decode(d, p, in)
	if err == nil && len(batch.messages) == 0 {
		err = from.checkEmpty(p.members)
	}
	if err != nil {
		return nil, newError(deletion.ClassInvalid, string(from.name)+": "+err.Error())
	}
	batch.Source = from.name
	parkable := from.parkable != nil && from.parkable(d, p, in)
	for i := range batch.Requests {
		r := &batch.Requests[i]
		r.Source = from.name
		r.Parkable = parkable && r.Err == nil
		r.TraceHeader = cmp.Or(r.TraceHeader, in.TraceHeader)
	}
	return batch, nil
}

// checkEmpty returns an error if a batch without messages has a member that its source does not know:
// something else was meant. A source whose members are not listed takes any.
func (s *source) checkEmpty(members strictjson.Object) error {
	for _, m := range members {
		if s.members != nil && !slices.Contains(s.members, string(m.Name)) {
			return fmt.Errorf("the batch has no records but has the member %q; expected records, or no other member", strictjson.Shorten(string(m.Name)))
		}
	}
	return nil
}

// recognise parses a payload and returns its source.
func recognise(text []byte, in Invocation) (from source, p payload, err error) {
	text = strictjson.TrimMark(text)
	if len(text) > maxPayload {
		return from, p, fmt.Errorf("%d bytes long; expected %d at most", len(text), maxPayload)
	}
	if p.value, p.members, err = strictjson.ParseObject(text); err != nil {
		return from, p, err
	}
	if in.Async && isEventList(p.value) {
		return eventGridList, p, nil
	}
	if p.value.Kind() == "array" {
		from, err = recogniseArray(p.value)
		return from, p, err
	}
	if other := services.Other(p.members); other != "" {
		return from, p, errors.New(other + ", which asks for no deletion; " + body.Expected)
	}
	for _, s := range sources {
		if s.fits(p.members) {
			return s, p, nil
		}
	}
	return from, p, errors.New(body.DescribeUnknown(p.members))
}

// recogniseArray recognises a payload that is an array: the records of a queue or of Kafka, as
// EventBridge Pipes sends them, or a list of requests. An array that is neither is an error, so
// that it is reported once and not once for each element.
func recogniseArray(list strictjson.Value) (from source, err error) {
	elements, err := list.Array()
	if err != nil {
		return from, err
	}
	if len(elements) == 0 {
		return from, errors.New("an empty array; " + body.Expected)
	}
	var service string
	records, requests := 0, 0
	for _, element := range elements {
		if body.MayBeRequest(element) {
			requests++
			continue
		}
		members, _ := element.Object() // another value has no members
		name, named := services.OfRecord(members)
		if !named {
			continue
		}
		if records > 0 && name != service {
			return from, fmt.Errorf("an array of records of %q and %q; expected records of one source", strictjson.Shorten(service), strictjson.Shorten(name))
		}
		service = name
		records++
	}
	switch {
	case records == 0 && requests > 0:
		return direct, nil
	case records == 0:
		return from, errors.New("an array in which no element is a request; the first is " + body.Describe(elements[0]))
	case records < len(elements):
		return from, fmt.Errorf("an array of %d elements of which %d are records of %q; expected records or requests alone", len(elements), records, strictjson.Shorten(service))
	case service == services.SQS:
		return sqsPipe, nil
	case services.IsKafka(service):
		return kafkaPipe, nil
	default:
		return from, errors.New(services.Describe("an array of records of", service) + ", which asks for no deletion; " + body.Expected)
	}
}
