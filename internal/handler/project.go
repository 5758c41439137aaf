package handler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"dds-backup-delete/internal/dds"
)

// project is the project of the region, looked up once.
type project struct {
	find func(context.Context) (string, error)

	mu    sync.Mutex
	found string
}

// id returns the project's id.
func (p *project) id(ctx context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == "" {
		var err error
		if p.found, err = p.find(ctx); err != nil {
			return "", err
		}
	}
	return p.found, nil
}

// atStart looks the project up. A refused key is no reason to end: the next process would try
// it again at once, and six such starts lock it for everyone. This one leaves it alone for
// five minutes and gives its requests back.
func (p *project) atStart(ctx context.Context, log *slog.Logger) error {
	_, err := p.id(ctx)
	var e *dds.Error
	if errors.As(err, &e) && e.Class == dds.Unauthenticated {
		log.ErrorContext(ctx, "the project of the region cannot be looked up, and all requests are given back", "error", err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("HUAWEICLOUD_SDK_PROJECT_ID: not set, and the project of the region was not found: %w", err)
	}
	return nil
}
