package handler

import (
	"dds-backup-delete/internal/dds"
	"dds-backup-delete/internal/deletion"
)

// Service returns the service that works requests, for a program that has requests and no source to
// reply to. It may be changed before its first use.
func (h *Handler) Service() *deletion.Service { return h.service }

// Client returns the DDS client of the service.
func (h *Handler) Client() *dds.Client { return h.client }
