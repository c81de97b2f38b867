package main

import (
	"errors"
	"time"

	"github.com/IBM/sarama"

	"flotilla.test/clients/lines"
)

var producers = map[string]sarama.SyncProducer{}

// transact runs the commands about transactions; false when the command is not one of them.
func transact(c *lines.Command) (lines.Fields, error, bool) {
	producer := producers[c.Producer]
	switch c.Op {
	case "openTransactional":
		config := config()
		config.Producer.Idempotent = true
		config.Producer.RequiredAcks = sarama.WaitForAll
		config.Producer.Transaction.ID = c.TransactionalID
		config.Producer.Transaction.Timeout = time.Duration(c.TimeoutMs) * time.Millisecond
		config.Producer.Partitioner = sarama.NewManualPartitioner
		config.Net.MaxOpenRequests = 1
		opened, err := sarama.NewSyncProducer([]string{c.Bootstrap}, config)
		if err == nil {
			producers[c.Producer] = opened
		}
		return lines.Fields{}, err, true
	case "beginTransaction":
		return lines.Fields{}, producer.BeginTxn(), true
	case "sendInTransaction":
		return sendInTransaction(producer, c)
	case "endTransaction":
		if c.Commit {
			return lines.Fields{}, producer.CommitTxn(), true
		}
		return lines.Fields{}, producer.AbortTxn(), true
	case "closeTransactional":
		delete(producers, c.Producer)
		// Its Close() waits for the end of the transaction when one is open; nobody waits for it here.
		go producer.Close()
		return lines.Fields{}, nil, true
	}
	return nil, nil, false
}

func sendInTransaction(producer sarama.SyncProducer, c *lines.Command) (lines.Fields, error, bool) {
	messages := []*sarama.ProducerMessage{}
	for _, r := range c.Records {
		message := &sarama.ProducerMessage{Topic: c.Topic, Partition: c.Partition}
		if r.Key != nil {
			message.Key = sarama.ByteEncoder(r.Key)
		}
		if r.Value != nil {
			message.Value = sarama.ByteEncoder(r.Value)
		}
		messages = append(messages, message)
	}
	if err := producer.SendMessages(messages); err != nil {
		var failed sarama.ProducerErrors
		if errors.As(err, &failed) {
			return nil, failed[0].Err, true
		}
		return nil, err, true
	}
	offsets := []int64{}
	for _, message := range messages {
		offsets = append(offsets, message.Offset)
	}
	return lines.Fields{"offsets": offsets}, nil, true
}
