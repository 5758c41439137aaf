package httpapi

import (
	"fmt"
	"mime"
	"strconv"
	"strings"

	"dds-backup-delete/internal/strictjson"
)

// media returns the media type of a body that can be read. An event in binary mode may leave out that
// it is JSON; another body may not, since a browser sends one without a type across sites without asking.
func (r *request) media(onlyEvents bool) (string, error) {
	header := r.header("Content-Type")
	if header == "" && r.isBinary() {
		return mediaJSON, nil
	}
	want := acceptedInBodies
	if onlyEvents {
		want = mediaEvent + ", " + mediaEventBatch
	}
	if header == "" {
		return "", fmt.Errorf("Content-Type: missing; expected one of %s", want)
	}
	media, err := contentType(header)
	switch {
	case err != nil:
		return "", fmt.Errorf("Content-Type: %w; expected one of %s", err, want)
	case media == mediaJSON && (!onlyEvents || r.isBinary()), media == mediaEvent, media == mediaEventBatch:
		return media, nil
	default:
		return "", fmt.Errorf("Content-Type: %q; expected one of %s", strictjson.Shorten(media), want)
	}
}

// contentType returns the media type that a header names, in lower case. Fronts join a header that was
// sent twice, so that it may be a list.
func contentType(header string) (media string, err error) {
	parts := []string{header}
	// A header that is not one type was perhaps sent twice and joined. A comma in a quoted parameter parses.
	if _, _, err := mime.ParseMediaType(header); err != nil {
		parts = strings.Split(header, ",")
	}
	for _, part := range parts {
		got, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			return "", fmt.Errorf("%q cannot be read", strictjson.Shorten(strings.TrimSpace(part)))
		}
		if media != "" && got != media {
			return "", fmt.Errorf("both %q and %q", strictjson.Shorten(media), strictjson.Shorten(got))
		}
		switch charset, given := parameters["charset"]; {
		case !given, strings.EqualFold(charset, "utf-8"), strings.EqualFold(charset, "utf8"), strings.EqualFold(charset, "us-ascii"):
			media = got
		default:
			return "", fmt.Errorf("charset %q is not supported, only utf-8", strictjson.Shorten(charset))
		}
	}
	return media, nil
}

// accepts reports whether the caller names a media type among those it takes.
func (r *request) accepts(media string) bool {
	for part := range strings.SplitSeq(r.header("Accept"), ",") {
		got, parameters, err := mime.ParseMediaType(part)
		if err != nil || got != media {
			continue
		}
		if quality, err := strconv.ParseFloat(parameters["q"], 64); err != nil || quality > 0 {
			return true
		}
	}
	return false
}

// prefersReply reports whether the caller asks for events in reply.
func (r *request) prefersReply() bool {
	for part := range strings.SplitSeq(r.header("Prefer"), ",") {
		if name, _, _ := strings.Cut(part, ";"); strings.EqualFold(strings.TrimSpace(name), "reply") {
			return true
		}
	}
	return false
}
