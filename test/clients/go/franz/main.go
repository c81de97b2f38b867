// The program for franz-go (kgo and kadm).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flotilla.test/clients/lines"
)

const deadline = 60 * time.Second

var admins = map[string]*kadm.Client{}

func admin(c *lines.Command) (*kadm.Client, error) {
	if admins[c.Bootstrap] == nil {
		// Topics come and go between two commands: a cached "unknown topic" or partition count would be stale.
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap), kgo.MetadataMinAge(10*time.Millisecond))
		if err != nil {
			return nil, err
		}
		admins[c.Bootstrap] = kadm.NewClient(client)
	}
	return admins[c.Bootstrap], nil
}

// withMessage adds what the broker says about an error code.
func withMessage(err error, message string) error {
	if err == nil || message == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, message)
}

func describe(err error) lines.Error {
	var known *kerr.Error
	if errors.As(err, &known) {
		return lines.Error{Code: &known.Code, Name: known.Message, Message: err.Error()}
	}
	return lines.Error{Name: fmt.Sprintf("%T", err), Message: err.Error()}
}

func run(c *lines.Command) (lines.Fields, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if fields, err, isMine := transact(ctx, c); isMine {
		return fields, err
	}
	if fields, err, isMine := inGroup(ctx, c); isMine {
		return fields, err
	}
	switch c.Op {
	case "hello":
		return lines.Fields{"client": "franz-go " + lines.Version("github.com/twmb/franz-go") + " (kadm " + lines.Version("github.com/twmb/franz-go/pkg/kadm") + ")"}, nil
	case "produce":
		return produce(ctx, c)
	case "consume":
		return consume(ctx, c)
	}
	adm, err := admin(c)
	if err != nil {
		return nil, err
	}
	if fields, err, isMine := administerGroup(ctx, adm, c); isMine {
		return fields, err
	}
	switch c.Op {
	case "describeCluster":
		return describeCluster(ctx, adm)
	case "createTopic":
		return createTopic(ctx, adm, c)
	case "deleteTopic":
		response, err := adm.DeleteTopic(ctx, c.Topic)
		return lines.Fields{}, errors.Join(err, withMessage(response.Err, response.ErrMessage))
	case "describeTopic":
		return describeTopic(ctx, adm, c)
	case "createPartitions":
		responses, err := adm.UpdatePartitions(ctx, c.Count, c.Topic)
		if err != nil {
			return nil, err
		}
		return lines.Fields{}, withMessage(responses[c.Topic].Err, responses[c.Topic].ErrMessage)
	case "alterConfig":
		return alterConfig(ctx, adm, c)
	case "describeConfigs":
		return describeConfigs(ctx, adm, c)
	case "deleteRecords":
		return deleteRecords(ctx, adm, c)
	case "listOffsets":
		return listOffsets(ctx, adm, c)
	}
	return nil, errors.New("no such command")
}

func describeCluster(ctx context.Context, adm *kadm.Client) (lines.Fields, error) {
	metadata, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return nil, err
	}
	brokers := []lines.Fields{}
	for _, broker := range metadata.Brokers {
		brokers = append(brokers, lines.Fields{"id": broker.NodeID, "host": broker.Host, "port": broker.Port})
	}
	return lines.Fields{"clusterId": metadata.Cluster, "controllerId": metadata.Controller, "brokers": brokers}, nil
}

func createTopic(ctx context.Context, adm *kadm.Client, c *lines.Command) (lines.Fields, error) {
	configs := map[string]*string{}
	for name, value := range c.Configs {
		configs[name] = &value
	}
	create := adm.CreateTopics
	if c.ValidateOnly {
		create = adm.ValidateCreateTopics
	}
	responses, err := create(ctx, c.Partitions, c.ReplicationFactor, configs, c.Topic)
	if err != nil {
		return nil, err
	}
	return lines.Fields{}, withMessage(responses[c.Topic].Err, responses[c.Topic].ErrMessage)
}

func describeTopic(ctx context.Context, adm *kadm.Client, c *lines.Command) (lines.Fields, error) {
	topics, err := adm.ListTopics(ctx, c.Topic)
	if err != nil {
		return nil, err
	}
	if err := topics[c.Topic].Err; err != nil {
		return nil, err
	}
	partitions := []lines.Fields{}
	for _, p := range topics[c.Topic].Partitions.Sorted() {
		partitions = append(partitions, lines.Fields{"partition": p.Partition, "leader": p.Leader, "replicas": p.Replicas, "isr": p.ISR})
	}
	return lines.Fields{"partitions": partitions}, nil
}

func alterConfig(ctx context.Context, adm *kadm.Client, c *lines.Command) (lines.Fields, error) {
	change := kadm.AlterConfig{Op: kadm.SetConfig, Name: c.Key, Value: c.Value}
	if c.Value == nil {
		change.Op = kadm.DeleteConfig
	}
	responses, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{change}, c.Topic)
	if err != nil {
		return nil, err
	}
	return lines.Fields{}, withMessage(responses[0].Err, responses[0].ErrMessage)
}

func describeConfigs(ctx context.Context, adm *kadm.Client, c *lines.Command) (lines.Fields, error) {
	resources, err := adm.DescribeTopicConfigs(ctx, c.Topic)
	if err != nil {
		return nil, err
	}
	if err := withMessage(resources[0].Err, resources[0].ErrMessage); err != nil {
		return nil, err
	}
	configs := lines.Fields{}
	for _, config := range resources[0].Configs {
		configs[config.Key] = lines.Fields{"value": config.Value, "isSet": config.Source == kmsg.ConfigSourceDynamicTopicConfig}
	}
	return lines.Fields{"configs": configs}, nil
}

func deleteRecords(ctx context.Context, adm *kadm.Client, c *lines.Command) (lines.Fields, error) {
	offsets := kadm.Offsets{}
	offsets.AddOffset(c.Topic, c.Partition, c.Before, -1)
	responses, err := adm.DeleteRecords(ctx, offsets)
	if err != nil {
		return nil, err
	}
	response := responses[c.Topic][c.Partition]
	return lines.Fields{"lowWatermark": response.LowWatermark}, response.Err
}

func listOffsets(ctx context.Context, adm *kadm.Client, c *lines.Command) (lines.Fields, error) {
	var listed kadm.ListedOffsets
	var err error
	switch string(c.At) {
	case `"earliest"`:
		listed, err = adm.ListStartOffsets(ctx, c.Topic)
	case `"latest"`:
		listed, err = adm.ListEndOffsets(ctx, c.Topic)
	case `"max-timestamp"`:
		listed, err = adm.ListMaxTimestampOffsets(ctx, c.Topic)
	default:
		var timestamp int64
		if err = json.Unmarshal(c.At, &timestamp); err == nil {
			listed, err = adm.ListOffsetsAfterMilli(ctx, timestamp, c.Topic)
		}
	}
	if err != nil {
		return nil, err
	}
	offset, _ := listed.Lookup(c.Topic, c.Partition)
	return lines.Fields{"offset": offset.Offset}, listed.Error()
}

func produce(ctx context.Context, c *lines.Command) (lines.Fields, error) {
	codec := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[c.Compression]
	acks := map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()}[c.Acks]
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Bootstrap), kgo.ProducerBatchCompression(codec), kgo.RequiredAcks(acks),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(20 * time.Millisecond),
		// The broker shall judge the size, not the client.
		kgo.ProducerBatchMaxBytes(50_000_000),
	}
	if c.AutoCreate {
		options = append(options, kgo.AllowAutoTopicCreation())
	}
	if !c.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	// Not kgo.RecordDeliveryTimeout: it counts from a record's own timestamp, and these may be years old.
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.TimeoutMs)*time.Millisecond)
	defer cancel()
	records := []*kgo.Record{}
	for _, r := range c.Records {
		record := &kgo.Record{Topic: c.Topic, Partition: c.Partition, Key: r.Key, Value: r.Value}
		if r.Timestamp != nil {
			record.Timestamp = time.UnixMilli(*r.Timestamp)
		}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
		}
		records = append(records, record)
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return nil, err
	}
	offsets := []*int64{}
	for _, record := range records {
		if c.Acks == "0" {
			offsets = append(offsets, nil)
		} else {
			offsets = append(offsets, &record.Offset)
		}
	}
	return lines.Fields{"offsets": offsets}, nil
}

func consume(ctx context.Context, c *lines.Command) (lines.Fields, error) {
	start, err := c.Start()
	if err != nil {
		return nil, err
	}
	offset := kgo.NewOffset().At(start.Offset)
	if start.Earliest {
		offset = kgo.NewOffset().AtStart()
	} else if start.Timestamp != nil {
		offset = kgo.NewOffset().AfterMilli(*start.Timestamp)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(c.Bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.Topic: {c.Partition: offset}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(isolationOf(c)),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	records := []lines.Record{}
	for isDone := false; !isDone && len(records) < c.Count; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("after %d of %d records: %w", len(records), c.Count, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if len(records) == c.Count {
				return
			}
			timestamp := r.Timestamp.UnixMilli()
			record := lines.Record{Offset: &r.Offset, Timestamp: &timestamp, Key: r.Key, Value: r.Value, Headers: []lines.Header{}}
			for _, h := range r.Headers {
				record.Headers = append(record.Headers, lines.Header{Name: h.Key, Value: h.Value})
			}
			records = append(records, record)
			isDone = isDone || c.Until != nil && r.Offset >= *c.Until
		})
	}
	return lines.Fields{"records": records}, nil
}

func isolationOf(c *lines.Command) kgo.IsolationLevel {
	if c.Isolation == "read_committed" {
		return kgo.ReadCommitted()
	}
	return kgo.ReadUncommitted()
}

func main() {
	lines.Serve(run, describe)
}
