package deletion

import (
	"slices"
	"strings"
	"time"
)

// An owed event is kept once: where the item has its JSON anyway, Owed has only the place. That is one of
// these, or the key of a request in Answers. Any other text is the JSON itself.
const (
	owedAnswer = "answer"
	owedEnd    = "end"
)

// owedText returns the JSON of an owed event.
func (i *Item) owedText(place string) string {
	switch a, ok := i.Answers[place]; {
	case place == owedAnswer:
		return i.Answer.Event
	case place == owedEnd && i.Plan.End != nil:
		return i.Plan.End.Event
	case ok:
		return a.Event
	default:
		return place
	}
}

// dropLost forgets the places of events that the item does not have any more: the version before removes the answers of
// single requests when it records one for all.
func (i *Item) dropLost() (changed bool) {
	before := len(i.Plan.Owed)
	i.Plan.Owed = slices.DeleteFunc(i.Plan.Owed, func(place string) bool { return !strings.HasPrefix(i.owedText(place), "{") })
	return len(i.Plan.Owed) != before
}

// owed returns the JSON of all events that are owed.
func (i *Item) owed() []string {
	texts := make([]string, len(i.Plan.Owed))
	for n, place := range i.Plan.Owed {
		texts[n] = i.owedText(place)
	}
	return texts
}

// owe notes that an event must be published, at the latest at a time, unless it is owed already.
func (i *Item) owe(place string, at time.Time) {
	if slices.Contains(i.owed(), i.owedText(place)) {
		return
	}
	if len(i.Plan.Owed) == 0 || at.Before(i.Plan.OwedAt) {
		i.Plan.OwedAt = at
	}
	i.Plan.Owed = append(i.Plan.Owed, place)
}

// settle notes that the sink took events.
func (i *Item) settle(taken map[string]bool) (changed bool) {
	before := len(i.Plan.Owed)
	i.Plan.Owed = slices.DeleteFunc(i.Plan.Owed, func(place string) bool { return taken[i.owedText(place)] })
	if len(i.Plan.Owed) == 0 {
		i.Plan.Owed, i.Plan.OwedAt = nil, time.Time{}
	}
	return len(i.Plan.Owed) != before
}

// moveOwed replaces a place by its JSON, because the item will have something else there.
func (i *Item) moveOwed(place string) {
	if n := slices.Index(i.Plan.Owed, place); n >= 0 {
		i.Plan.Owed[n] = i.owedText(place)
	}
}
