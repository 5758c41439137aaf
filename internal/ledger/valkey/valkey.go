// Package valkey implements [deletion.Ledger] in a Valkey or Redis server or cluster.
package valkey

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"dds-backup-delete/internal/config"
	"dds-backup-delete/internal/deletion"
	"dds-backup-delete/internal/secret"
)

// Ledger is a ledger in a Valkey or Redis server that all processes share. Its keys are:
//
//	<prefix>:{<shard>}:item:<project>/<backup>   a hash: version, item (the JSON of a [deletion.Item]), and
//	                                             expires_at in seconds since 1970, empty if something is due
//	<prefix>:{<shard>}:due:<kind>                a sorted set of what is due: <project>/<backup> by milliseconds
//
// The braces keep a shard in one slot of a cluster, so that one script can write an item and its place in the
// sets together. An item with nothing due has a time to live.
type Ledger struct {
	server connection
	prefix string
	now    func() time.Time
}

// shards is how many parts the keys have. It must never change, because it decides where an item is.
const shards = 16

// New returns the ledger in that server. The clock now is for the expiry; nil for [time.Now]. It connects,
// and refuses a server that forgets what it was told, or that refuses the user. A server that cannot be reached
// is no error: each call tries again.
func New(c *config.ValkeyServer, log *slog.Logger, now func() time.Time) (*Ledger, error) {
	if now == nil {
		now = time.Now
	}
	l := &Ledger{server: connection{config: c, log: log, free: make(chan struct{}, 1)}, prefix: c.Prefix, now: now}
	if err := l.server.start(); err != nil {
		return nil, err
	}
	return l, nil
}

// shard begins the keys of a part of the ledger.
func (l *Ledger) shard(n uint32) string { return fmt.Sprintf("%s:{%d}:", l.prefix, n) }

// shardOf begins the keys of a backup.
func (l *Ledger) shardOf(key deletion.Key) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key.String())) // it never fails
	return l.shard(h.Sum32() % shards)
}

// Get implements [deletion.Ledger].
func (l *Ledger) Get(ctx context.Context, key deletion.Key) (i *deletion.Item, err error) {
	err = l.server.do(ctx, func(ctx context.Context, c valkey.Client) error {
		fields, err := c.Do(ctx, c.B().Hmget().Key(l.shardOf(key)+"item:"+key.String()).Field("version", "item", "expires_at").Build()).ToArray()
		if err == nil {
			i, err = parse(key, fields)
		}
		return err
	})
	return i, err
}

// swap replaces an item and keeps the sorted sets in step, if the item has the version that is expected. It
// returns 1, or what is there instead.
//
//	KEYS  the item; the set in which it is due, or any if nothing is; the other set
//	ARGV  the version that is expected, empty for no item; the version, item and expires_at to write; the time to
//	      live in seconds, empty for ever; the member of the sets; its score, empty if nothing is due
//
// A script is not undone if it fails halfway, for example because the user may not call a command. So what makes
// an item due is written before the item, and what makes it due no more after it: the sets are a hint. The
// first write is one that a full server refuses.
var swap = valkey.NewLuaScript(`
local there = redis.call('HMGET', KEYS[1], 'version', 'item', 'expires_at')
local version = there[1] or ''
if version == ARGV[2] then return 1 end -- it was written, and the answer was lost
if version ~= ARGV[1] then return there end
if ARGV[7] ~= '' then
	redis.call('ZADD', KEYS[2], ARGV[7], ARGV[6])
end
if ARGV[5] == '' then
	redis.call('PERSIST', KEYS[1])
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'item', ARGV[3], 'expires_at', ARGV[4])
if ARGV[5] ~= '' then
	redis.call('EXPIRE', KEYS[1], ARGV[5])
end
if ARGV[7] == '' then
	redis.call('ZREM', KEYS[2], ARGV[6])
end
redis.call('ZREM', KEYS[3], ARGV[6])
return 1`)

// Swap implements [deletion.Ledger].
func (l *Ledger) Swap(ctx context.Context, old, next *deletion.Item) (current *deletion.Item, err error) {
	next.Version, next.ExpiresAt = rand.Text(), next.Expiry(l.now())
	text, err := json.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("ledger: the item of backup %s: %w", next.BackupID, err)
	}
	var before, expires, life, score string
	if old != nil {
		before = old.Version
	}
	if !next.ExpiresAt.IsZero() {
		expires = strconv.FormatInt(next.ExpiresAt.Unix(), 10)
		life = strconv.FormatInt(max(1, int64(next.ExpiresAt.Sub(l.now()).Seconds())), 10)
	}
	kind, at := next.Due()
	if !at.IsZero() {
		score = strconv.FormatInt(at.UnixMilli(), 10)
	}
	other := deletion.Checks
	if kind == deletion.Checks {
		other = deletion.Deletions
	}
	shard := l.shardOf(next.Key)
	keys := []string{shard + "item:" + next.String(), shard + "due:" + string(kind), shard + "due:" + string(other)}
	args := []string{before, next.Version, string(text), expires, life, next.String(), score}
	err = l.server.do(ctx, func(ctx context.Context, c valkey.Client) error {
		result := swap.Exec(ctx, c, keys, args)
		if _, err := result.AsInt64(); err == nil {
			return nil
		}
		fields, err := result.ToArray()
		if err != nil {
			return err
		}
		current, err = parse(next.Key, fields)
		if current == nil && err == nil { // it expired, or the server forgot it
			current = &deletion.Item{Key: next.Key}
		}
		return err
	})
	return current, err
}

// parse returns the item with those fields of a hash; nil if there is none.
func parse(key deletion.Key, fields []valkey.ValkeyMessage) (*deletion.Item, error) {
	var texts [3]string // missing ones stay empty
	for n := range min(len(fields), len(texts)) {
		texts[n], _ = fields[n].ToString()
	}
	if texts[0] == "" {
		return nil, nil //nolint:nilnil // there is no item, and no error
	}
	i := new(deletion.Item)
	if err := json.Unmarshal([]byte(texts[1]), i); err != nil {
		return nil, refusal(fmt.Sprintf("ledger: the item of backup %s cannot be read: %s", key.BackupID, secret.Redact(err.Error())))
	}
	i.Key, i.Version = key, texts[0]
	if seconds, err := strconv.ParseInt(texts[2], 10, 64); err == nil {
		i.ExpiresAt = time.Unix(seconds, 0).UTC()
	}
	return i, nil
}

// due is a place in the order of what is due.
type due struct {
	at     int64 // in milliseconds since 1970
	backup string
}

func (d due) compare(other due) int {
	if d.at != other.at {
		return int(min(max(d.at-other.at, -1), 1))
	}
	return strings.Compare(d.backup, other.backup)
}

// Due implements [deletion.Ledger]. It asks all shards, each for as many as a page needs, and merges them.
func (l *Ledger) Due(ctx context.Context, kind deletion.Agenda, at time.Time, limit int, cursor string) (keys []deletion.Key, next string, err error) {
	after := due{at: -1 << 62}
	if since, backup, ok := strings.Cut(cursor, " "); ok {
		if after.at, err = strconv.ParseInt(since, 10, 64); err != nil {
			return nil, "", errors.New("ledger: the cursor is not one of this ledger")
		}
		after.backup = backup
	}
	var found []due
	err = l.server.do(ctx, func(ctx context.Context, c valkey.Client) error {
		more := true
		for ask := limit + 1; more; ask *= 2 { // again only if many are due in the millisecond of the cursor
			if found, more, err = l.dueAfter(ctx, c, kind, at, after, ask, limit+1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(found, due.compare)
	if len(found) > limit {
		found = found[:limit]
		next = fmt.Sprint(found[limit-1].at, " ", found[limit-1].backup)
	}
	for _, d := range found {
		project, backup, _ := strings.Cut(d.backup, "/")
		keys = append(keys, deletion.Key{ProjectID: project, BackupID: backup})
	}
	return keys, next, nil
}

// dueAfter asks every shard for the first ones from the time of after on, and returns those behind it. more
// says that a shard has more of them, but too few behind it were among those.
func (l *Ledger) dueAfter(ctx context.Context, c valkey.Client, kind deletion.Agenda, at time.Time, after due, ask, enough int) (found []due, more bool, err error) {
	commands := make(valkey.Commands, shards)
	for n := range commands {
		commands[n] = c.B().Zrangebyscore().Key(l.shard(uint32(n))+"due:"+string(kind)).
			Min(strconv.FormatInt(after.at, 10)).Max(strconv.FormatInt(at.UnixMilli(), 10)).
			Withscores().Limit(0, int64(ask)).Build()
	}
	for _, result := range c.DoMulti(ctx, commands...) {
		scores, err := result.AsZScores()
		if err != nil {
			return nil, false, err
		}
		behind := 0
		for _, s := range scores {
			d := due{int64(s.Score), s.Member}
			if d.compare(after) > 0 {
				found = append(found, d)
				behind++
			}
		}
		more = more || (len(scores) == ask && behind < enough)
	}
	return found, more, nil
}
