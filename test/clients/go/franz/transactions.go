package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flotilla.test/clients/lines"
)

var producers = map[string]*kgo.Client{}

// transact runs the commands about transactions; false when the command is not one of them.
func transact(ctx context.Context, c *lines.Command) (lines.Fields, error, bool) {
	producer := producers[c.Producer]
	switch c.Op {
	case "openTransactional":
		client, err := kgo.NewClient(
			kgo.SeedBrokers(c.Bootstrap), kgo.TransactionalID(c.TransactionalID),
			kgo.TransactionTimeout(time.Duration(c.TimeoutMs)*time.Millisecond),
			kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(5*time.Millisecond),
		)
		if err != nil {
			return nil, err, true
		}
		producers[c.Producer] = client
		// It would ask for its id with its first record only.
		_, _, err = client.ProducerID(ctx)
		return lines.Fields{}, err, true
	case "beginTransaction":
		return lines.Fields{}, producer.BeginTransaction(), true
	case "sendInTransaction":
		records := []*kgo.Record{}
		for _, r := range c.Records {
			records = append(records, &kgo.Record{Topic: c.Topic, Partition: c.Partition, Key: r.Key, Value: r.Value})
		}
		if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return nil, err, true
		}
		offsets := []int64{}
		for _, record := range records {
			offsets = append(offsets, record.Offset)
		}
		return lines.Fields{"offsets": offsets}, nil, true
	case "endTransaction":
		err := producer.EndTransaction(ctx, kgo.TransactionEndTry(c.Commit))
		return lines.Fields{}, err, true
	case "closeTransactional":
		if producer == nil {
			return nil, errors.New("no such producer"), true
		}
		delete(producers, c.Producer)
		producer.CloseAllowingRebalance()
		return lines.Fields{}, nil, true
	}
	return nil, nil, false
}
