package ddstest

import "time"

// SampleBackups returns the backups that the sample events speak of, the same every time: ten
// manual ones, then one in restoration and an automated one, which cannot be deleted.
func SampleBackups() []Backup {
	ids := []string{
		"8d9586c40b33449a815518d4635a2cd9br02",
		"2f0c1d7e9a4b4c1f8e55d0a3b6c7e801br02",
		"5b6d3c90e1f24a77b0c98d21f4a3e602br02",
		"a17e4f02c8d94b3fa6f0e5d4c3b2a103br02",
		"c40e9d8b7a6f4e5d9c3b2a1f0e9d8c04br02",
		"e93b5a7c1d2f4086b7a8c9d0e1f20305br02",
		"71c2d3e4f5a64b7c8d9e0f1a2b3c4d06br02",
		"0a1b2c3d4e5f46789a8b7c6d5e4f3a07br02",
		"b8c7d6e5f4a34b2c9d1e0f9a8b7c6d08br02",
		"96f5e4d3c2b14a0f8e7d6c5b4a392809br02",
		"d2e3f4a5b6c74d8e9f0a1b2c3d4e5f10br02",
		"13f4a5b6c7d84e9f8a0b1c2d3e4f5a11br02",
	}
	first := time.Date(2026, time.January, 4, 2, 0, 0, 0, time.UTC)
	backups := make([]Backup, len(ids))
	for i, id := range ids {
		begin := first.AddDate(0, 0, 7*i)
		backups[i] = Backup{
			ID:           id,
			Name:         "backup-" + begin.Format("20060102"),
			Description:  "before the weekly maintenance",
			InstanceID:   "9136fd2a9fcd405ea4674276ce4d2a4fin02",
			InstanceName: "dds-orders",
			Version:      "4.0",
			Type:         "Manual",
			Status:       "COMPLETED",
			Begin:        begin,
			End:          begin.Add(4*time.Minute + time.Duration(i)*time.Second),
			SizeKB:       int64(1<<20 + i<<14),
		}
	}
	restoring, auto := &backups[10], &backups[11]
	restoring.Restoring = true
	restoring.InstanceID, restoring.InstanceName = "47c9a1e05d3b4f2886d1b0c7e9f3a25bin02", "dds-billing"
	auto.Type = "Auto"
	auto.Description = ""
	return backups
}
