package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/deletion"
)

// check is the report of -check.
type check struct {
	out    io.Writer
	failed int
}

// pass, skip and fail print one line of the report: what was looked at, and what was found.
func (c *check) pass(what, format string, args ...any) { c.line("ok", what, format, args...) }
func (c *check) skip(what, format string, args ...any) { c.line("not tried", what, format, args...) }
func (c *check) fail(what, format string, args ...any) {
	c.failed++
	c.line("FAILED", what, format, args...)
}

func (c *check) line(result, what, format string, args ...any) {
	fmt.Fprintf(c.out, "%-20s %-10s %s\n", what, result, fmt.Sprintf(format, args...))
}

// runCheck says whether the environment is right: address, key, project, permissions and ledger. It deletes and
// publishes nothing.
func runCheck(ctx context.Context, out io.Writer) error {
	c, err := loadReal()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	report := &check{out: out}
	report.pass("configuration", "region %q, sink %s, ledger %s, REQUIRE_MANUAL=%t, FOLLOW=%t, DRY_RUN=%t, STOP_DELETIONS=%t",
		c.Region, c.Sink, c.Ledger, c.RequireManual, c.Follow, c.DryRun, c.StopDeletions)
	for _, warning := range c.Warnings {
		report.line("WARNING", "configuration", "%s", warning)
	}
	r, err := newReal(ctx, c, out)
	if err != nil {
		report.fail("start", "%s", reason(err))
		return errNotRight(report.failed)
	}
	defer r.Close()
	target := deletion.Target{Region: c.Region, ProjectID: r.project, BackupID: inventedID()}
	if report.list(ctx, r, target) {
		report.delete(ctx, r, target)
		report.job(ctx, r, target)
	} else {
		report.skip("dds:backup:delete", "because of the failure above")
		report.skip("dds:task:getDetail", "because of the failure above")
	}
	report.ledger(ctx, r, target)
	report.skip("OUTCOME_SINK", "a check publishes nothing; the first dry run (DRY_RUN=true) shows whether %s accepts events", c.Sink)
	if report.failed > 0 {
		return errNotRight(report.failed)
	}
	right := "The set-up is right."
	if c.StopDeletions {
		right = "What was tried is right; with STOP_DELETIONS, the permission to delete was not."
	}
	fmt.Fprintln(out, "\n"+right+" Nothing was deleted and nothing was published.")
	return nil
}

func errNotRight(failed int) error {
	return fmt.Errorf("the set-up is not right: %d of the checks failed, see above; nothing was deleted", failed)
}

// inventedID returns an id in the form of DDS that no backup has: 128 random bits.
func inventedID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:]) + "br02"
}

// list reads the shortest backup list, which needs the right address, key, project and permission. It reports whether
// DDS can be asked for more.
func (c *check) list(ctx context.Context, r *realApp, target deletion.Target) (goOn bool) {
	address := r.config.Endpoints[target.Region]
	_, err := r.DDS.LookUp(ctx, target)
	e, _ := errors.AsType[*deletion.Error](err)
	switch {
	case err == nil:
	case e != nil && strings.HasPrefix(e.Message, "HUAWEICLOUD_SECRET_ARN"):
		c.fail("secret", "%s; expected AWS credentials that may read it (AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)", reason(err))
		return false
	case e == nil || e.Class == deletion.ClassUnavailable && e.HTTPStatus == 0:
		c.fail("address", "%s does not answer: %s; expected an address that this machine can reach (DDS_REGION, DDS_ENDPOINT, HW_CLOUD, HTTPS_PROXY)", address, reason(err))
		return false
	case e.Class == deletion.ClassUnavailable || e.Class == deletion.ClassThrottled:
		c.fail("address", "%s answers, but not with a backup list: %s; expected DDS there, and not a proxy's page. If it is DDS, try again later", address, reason(err))
		return false
	case e.Class == deletion.ClassUnauthenticated:
		c.pass("address", "%s answers", address)
		c.fail("key", "%s; expected an active access key pair in HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK. More than five refusals in a row lock a key for five minutes", reason(err))
		return false
	}
	c.pass("address", "%s answers", address)
	switch {
	case err == nil:
		c.pass("key", "DDS accepts its signature")
		c.pass("project", "%q", target.ProjectID)
		c.pass("dds:backup:list", "the backup list can be read")
	case lacksPermission(e):
		c.pass("key", "DDS accepts its signature")
		c.lacks("dds:backup:list", target, err)
	default:
		c.fail("project", "%s; expected the id of a project in region %q that the key may use (HUAWEICLOUD_SDK_PROJECT_ID)", reason(err), target.Region)
		return false
	}
	return true
}

// lacksPermission reports whether an error says that the user lacks the permission for a call. Other refusals of the
// same class are about the project or the account.
func lacksPermission(e *deletion.Error) bool {
	return e != nil && slices.Contains([]string{"DBS.280015", "DBS.280032", "DBS.280063"}, e.Code)
}

// lacks prints that the user lacks a permission.
func (c *check) lacks(permission string, target deletion.Target, err error) {
	c.fail(permission, "%s; expected this permission in project %q; a new policy takes up to ten minutes to arrive", reason(err), target.ProjectID)
}

// delete asks DDS to delete a backup that does not exist: only the permission decides about the answer.
func (c *check) delete(ctx context.Context, r *realApp, target deletion.Target) {
	const permission = "dds:backup:delete"
	if r.config.StopDeletions {
		c.skip(permission, "STOP_DELETIONS is set, so no DELETE is sent")
		return
	}
	_, err := r.DDS.DeleteBackup(ctx, target, false)
	e, _ := errors.AsType[*deletion.Error](err)
	switch {
	case e != nil && e.Class == deletion.ClassNotFound:
		c.pass(permission, "DDS answered %s to a DELETE for an id that no backup has (%s)", e.Code, target.BackupID)
	case lacksPermission(e):
		c.lacks(permission, target, err)
	case err != nil:
		c.fail(permission, "%s; expected DDS to answer that the backup is not found, because no backup has this id (%s)", reason(err), target.BackupID)
	default:
		c.fail(permission, "DDS accepted a DELETE for an id that no backup has (%s)", target.BackupID)
	}
}

// job asks for a job that does not exist. Only FOLLOW needs the permission, so without FOLLOW it is no fault if it is missing.
func (c *check) job(ctx context.Context, r *realApp, target deletion.Target) {
	const permission = "dds:task:getDetail"
	_, _, err := r.DDS.Job(ctx, target, target.BackupID)
	e, _ := errors.AsType[*deletion.Error](err)
	switch {
	case err == nil, e != nil && (e.Class == deletion.ClassNotFound || e.Class == deletion.ClassInvalid):
		c.pass(permission, "the state of a job can be read")
	case lacksPermission(e) && !r.config.Follow:
		c.line("missing", permission, "only FOLLOW=true needs it, which the templates set: %s", reason(err))
	case lacksPermission(e):
		c.lacks(permission, target, err)
	default:
		c.fail(permission, "%s", reason(err))
	}
}

// ledger reads an item that does not exist and, where FOLLOW or parking needs it, the agenda.
func (c *check) ledger(ctx context.Context, r *realApp, target deletion.Target) {
	if r.config.Ledger.Kind == config.Memory {
		c.skip("LEDGER", "memory: it ends with this program; a function needs a durable ledger")
		return
	}
	_, err := r.Service.Ledger.Get(ctx, deletion.Key{ProjectID: target.ProjectID, BackupID: target.BackupID})
	if err == nil {
		_, _, err = r.Service.Ledger.Due(ctx, deletion.Deletions, time.Now(), 1, "")
	}
	if err != nil {
		c.fail("LEDGER", "%s could not be read: %s", r.config.Ledger, reason(err))
		return
	}
	c.pass("LEDGER", "%s can be read; a check writes nothing to it", r.config.Ledger)
}
