package handler

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/metrics"
)

// newProject returns the look-up of the region's project at IAM, which is asked until it names
// one. Calls to IAM need credentials; a failure of their look-up has its own line in the log.
func newProject(c *config.Config, client *dds.Client, credentials *lookup[dds.Credentials], log *slog.Logger, m *metrics.Recorder) *lookup[string] {
	var l *lookup[string]
	id := ""
	l = newLookup("HUAWEICLOUD_SDK_PROJECT_ID", log, m, func(ctx context.Context) (string, error) {
		if id != "" {
			return id, nil
		}
		found, err := client.FindProject(ctx, c.IAMEndpoint, c.Region)
		if err != nil {
			e := projectError(err)
			if credentials == nil || credentials.lastFailure() == nil {
				l.report(ctx, e.Class, e)
			}
			return "", e
		}
		id = found
		return id, nil
	})
	return l
}

// projectError returns the error of requests whose project is not known. What IAM answers says
// nothing about a request, so the error is never final: where only a person can help, it is
// [deletion.ClassForbidden].
func projectError(err error) *deletion.Error {
	e := &deletion.Error{Class: deletion.ClassUnavailable, Message: "no answer: " + err.Error()}
	var answer *deletion.Error
	if errors.As(err, &answer) {
		kept := *answer
		e = &kept
	}
	switch {
	case e.Class == deletion.ClassInvalid, e.Class == deletion.ClassNotFound, e.Class == deletion.ClassUnknown && e.HTTPStatus == http.StatusForbidden:
		e.Class = deletion.ClassForbidden
	}
	e.Message = "HUAWEICLOUD_SDK_PROJECT_ID: not set, and IAM did not name the project of the region: " + e.Message
	e.MaybeSent = false // nothing was deleted
	return e
}
