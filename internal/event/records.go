package event

import (
	"errors"
	"fmt"

	"dds-backup-delete/internal/services"
	"dds-backup-delete/internal/strictjson"
)

// recordsOf returns the records of a batch of SQS or SNS.
func recordsOf(members strictjson.Object) ([]strictjson.Value, error) {
	list, ok := members.Get("Records")
	if !ok {
		return nil, errors.New("the member Records is missing; expected an array")
	}
	records, err := list.Array()
	if err != nil {
		return nil, fmt.Errorf("the member Records is %w", err)
	}
	return records, nil
}

// eachRecord calls add with each record of a batch, which must all be of the same service.
func eachRecord(records []strictjson.Value, service string, add func(i int, record strictjson.Object) error) error {
	for i, value := range records {
		record, err := value.Object()
		if err != nil {
			return fmt.Errorf("record %d is %w", i, err)
		}
		if other, _ := services.OfRecord(record); other != service {
			return fmt.Errorf("record %d is of %q; expected %q, as the first", i, strictjson.Shorten(other), service)
		}
		if err := add(i, record); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
	}
	return nil
}
