// The program that reads __consumer_offsets as monitoring programs do (Burrow, kminion), with franz-go and its own idea of the formats
// (kmsg), asks for lag as others do (kafka_exporter), and commits. One command a run; it prints JSON.
//
//	offsets read <bootstrap> <read_committed|read_uncommitted>   everything that the topic says, from its beginning to its end
//	offsets lag <bootstrap> <group>                              what the brokers answer an administrator
//	offsets commit <bootstrap> <group> <topic> <partition> <from> <to> <metadata>    one commit after the other
//	offsets begin <bootstrap> <transactional id> <group> <topic> <partition> <offset>     a commit in a transaction that stays open
//	offsets end <bootstrap> <transactional id> <producer id> <epoch> <commit|abort>
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type fields map[string]any

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args := os.Args[2:]
	client, err := kgo.NewClient(kgo.SeedBrokers(args[0]))
	if err != nil {
		fail(err)
	}
	defer client.Close()
	var result fields
	switch os.Args[1] {
	case "read":
		result, err = read(ctx, kadm.NewClient(client), args[0], args[1] == "read_committed")
	case "lag":
		result, err = lag(ctx, kadm.NewClient(client), args[1])
	case "commit":
		result, err = commit(ctx, kadm.NewClient(client), args[1], args[2], number(args[3]), number(args[4]), number(args[5]), args[6])
	case "begin":
		result, err = begin(ctx, client, args[1], args[2], args[3], number(args[4]), number(args[5]))
	case "end":
		result, err = end(ctx, client, args[1], number(args[2]), number(args[3]), args[4] == "commit")
	default:
		err = fmt.Errorf("no such command: %s", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func number(text string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		fail(err)
	}
	return value
}

func lag(ctx context.Context, adm *kadm.Client, group string) (fields, error) {
	lags, err := adm.Lag(ctx, group)
	if err != nil {
		return nil, err
	}
	described := lags[group]
	partitions := []fields{}
	for _, l := range described.Lag.Sorted() {
		if l.Commit.At >= 0 {
			partitions = append(partitions, fields{"topic": l.Topic, "partition": l.Partition, "offset": l.Commit.At, "lag": l.Lag})
		}
	}
	return fields{"state": described.State, "partitions": partitions}, described.Error()
}

func commit(ctx context.Context, adm *kadm.Client, group, topic string, partition, from, to int64, metadata string) (fields, error) {
	for at := from; at <= to; at++ {
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: topic, Partition: int32(partition), At: at, LeaderEpoch: -1, Metadata: metadata})
		if err := adm.CommitAllOffsets(ctx, group, offsets); err != nil {
			return nil, err
		}
	}
	return fields{}, nil
}

func begin(ctx context.Context, client *kgo.Client, id, group, topic string, partition, offset int64) (fields, error) {
	initProducer := kmsg.NewPtrInitProducerIDRequest()
	initProducer.TransactionalID = &id
	initProducer.TransactionTimeoutMillis = 60_000
	producer, err := initProducer.RequestWith(ctx, client)
	if err := errors.Join(err, kerr.ErrorForCode(producer.ErrorCode)); err != nil {
		return nil, err
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = id, producer.ProducerID, producer.ProducerEpoch, group
	added, err := add.RequestWith(ctx, client)
	if err := errors.Join(err, kerr.ErrorForCode(added.ErrorCode)); err != nil {
		return nil, err
	}
	request := kmsg.NewPtrTxnOffsetCommitRequest()
	request.TransactionalID, request.ProducerID, request.ProducerEpoch, request.Group = id, producer.ProducerID, producer.ProducerEpoch, group
	topics, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return nil, err
	}
	request.Topics = []kmsg.TxnOffsetCommitRequestTopic{{
		Topic: topic, TopicID: topics[topic].ID,
		Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Partition: int32(partition), Offset: offset, LeaderEpoch: -1}},
	}}
	committed, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	result := fields{"producerId": producer.ProducerID, "producerEpoch": producer.ProducerEpoch}
	return result, kerr.ErrorForCode(committed.Topics[0].Partitions[0].ErrorCode)
}

func end(ctx context.Context, client *kgo.Client, id string, producerID, epoch int64, isCommit bool) (fields, error) {
	request := kmsg.NewPtrEndTxnRequest()
	request.TransactionalID, request.ProducerID, request.ProducerEpoch, request.Commit = id, producerID, int16(epoch), isCommit
	response, err := request.RequestWith(ctx, client)
	return fields{}, errors.Join(err, kerr.ErrorForCode(response.ErrorCode))
}
