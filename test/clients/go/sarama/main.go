// The program for sarama.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"flotilla.test/clients/lines"
)

const deadline = 60 * time.Second

var clients = map[string]sarama.Client{}

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.ClientID = "sarama-program"
	config.Metadata.AllowAutoTopicCreation = false
	config.Consumer.Return.Errors = true
	config.Producer.Return.Successes = true
	config.Producer.Return.Errors = true
	return config
}

func client(c *lines.Command) (sarama.Client, error) {
	if clients[c.Bootstrap] == nil {
		client, err := sarama.NewClient([]string{c.Bootstrap}, config())
		if err != nil {
			return nil, err
		}
		clients[c.Bootstrap] = client
	}
	return clients[c.Bootstrap], nil
}

func describe(err error) lines.Error {
	var known sarama.KError
	if errors.As(err, &known) {
		code := int16(known)
		return lines.Error{Code: &code, Name: "KError", Message: err.Error()}
	}
	return lines.Error{Name: fmt.Sprintf("%T", err), Message: err.Error()}
}

func run(c *lines.Command) (lines.Fields, error) {
	if c.Op == "hello" {
		return lines.Fields{"client": "sarama " + lines.Version("github.com/IBM/sarama")}, nil
	}
	if c.Op == "produce" {
		return produce(c)
	}
	if fields, err, isMine := transact(c); isMine {
		return fields, err
	}
	if fields, err, isMine := inGroup(c); isMine {
		return fields, err
	}
	cl, err := client(c)
	if err != nil {
		return nil, err
	}
	switch c.Op {
	case "listOffsets":
		return listOffsets(cl, c)
	case "consume":
		return consume(cl, c)
	}
	admin, err := sarama.NewClusterAdminFromClient(cl)
	if err != nil {
		return nil, err
	}
	switch c.Op {
	case "describeCluster":
		return describeCluster(admin, c)
	case "createTopic":
		return createTopic(admin, c)
	case "deleteTopic":
		return lines.Fields{}, admin.DeleteTopic(c.Topic)
	case "describeTopic":
		return describeTopic(admin, c)
	case "createPartitions":
		return lines.Fields{}, admin.CreatePartitions(c.Topic, int32(c.Count), nil, false)
	case "alterConfig":
		entry := sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: c.Value}
		if c.Value == nil {
			entry.Operation = sarama.IncrementalAlterConfigsOperationDelete
		}
		return lines.Fields{}, admin.IncrementalAlterConfig(sarama.TopicResource, c.Topic, map[string]sarama.IncrementalAlterConfigsEntry{c.Key: entry}, false)
	case "describeConfigs":
		return describeConfigs(admin, c)
	case "deleteRecords":
		return lines.Fields{"lowWatermark": nil}, admin.DeleteRecords(c.Topic, map[int32]int64{c.Partition: c.Before})
	}
	return nil, errors.New("no such command")
}

func describeCluster(admin sarama.ClusterAdmin, c *lines.Command) (lines.Fields, error) {
	nodes, controller, err := admin.DescribeCluster()
	if err != nil {
		return nil, err
	}
	brokers := []lines.Fields{}
	for _, node := range nodes {
		var port int
		host := node.Addr()
		for i := len(host) - 1; i >= 0; i-- {
			if host[i] == ':' {
				fmt.Sscan(host[i+1:], &port)
				host = host[:i]
				break
			}
		}
		brokers = append(brokers, lines.Fields{"id": node.ID(), "host": host, "port": port})
	}
	return lines.Fields{"clusterId": nil, "controllerId": controller, "brokers": brokers}, nil
}

func createTopic(admin sarama.ClusterAdmin, c *lines.Command) (lines.Fields, error) {
	detail := &sarama.TopicDetail{NumPartitions: c.Partitions, ReplicationFactor: c.ReplicationFactor, ConfigEntries: map[string]*string{}}
	for name, value := range c.Configs {
		detail.ConfigEntries[name] = &value
	}
	return lines.Fields{}, admin.CreateTopic(c.Topic, detail, c.ValidateOnly)
}

func describeTopic(admin sarama.ClusterAdmin, c *lines.Command) (lines.Fields, error) {
	topics, err := admin.DescribeTopics([]string{c.Topic})
	if err != nil {
		return nil, err
	}
	if topics[0].Err != sarama.ErrNoError {
		return nil, topics[0].Err
	}
	partitions := make([]lines.Fields, len(topics[0].Partitions))
	for _, p := range topics[0].Partitions {
		partitions[p.ID] = lines.Fields{"partition": p.ID, "leader": p.Leader, "replicas": p.Replicas, "isr": p.Isr}
	}
	return lines.Fields{"partitions": partitions}, nil
}

func describeConfigs(admin sarama.ClusterAdmin, c *lines.Command) (lines.Fields, error) {
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: c.Topic})
	if err != nil {
		return nil, err
	}
	configs := lines.Fields{}
	for _, entry := range entries {
		configs[entry.Name] = lines.Fields{"value": entry.Value, "isSet": entry.Source == sarama.SourceTopic}
	}
	return lines.Fields{"configs": configs}, nil
}

func listOffsets(cl sarama.Client, c *lines.Command) (lines.Fields, error) {
	var at int64
	switch string(c.At) {
	case `"earliest"`:
		at = sarama.OffsetOldest
	case `"latest"`:
		at = sarama.OffsetNewest
	default:
		if err := json.Unmarshal(c.At, &at); err != nil {
			return nil, err
		}
	}
	offset, err := cl.GetOffset(c.Topic, c.Partition, at)
	return lines.Fields{"offset": offset}, err
}

func produce(c *lines.Command) (lines.Fields, error) {
	config := config()
	config.Producer.Compression = map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}[c.Compression]
	config.Producer.RequiredAcks = map[string]sarama.RequiredAcks{"0": sarama.NoResponse, "1": sarama.WaitForLocal, "all": sarama.WaitForAll}[c.Acks]
	config.Producer.Idempotent = c.Idempotent
	config.Metadata.AllowAutoTopicCreation = c.AutoCreate
	if c.Idempotent {
		config.Net.MaxOpenRequests = 1
	}
	config.Producer.Partitioner = sarama.NewManualPartitioner
	// The broker shall judge the size, not the client.
	config.Producer.MaxMessageBytes = 50_000_000
	config.Producer.Flush.Frequency = 20 * time.Millisecond
	producer, err := sarama.NewSyncProducer([]string{c.Bootstrap}, config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	messages := []*sarama.ProducerMessage{}
	for _, r := range c.Records {
		message := &sarama.ProducerMessage{Topic: c.Topic, Partition: c.Partition}
		if r.Key != nil {
			message.Key = sarama.ByteEncoder(r.Key)
		}
		if r.Value != nil {
			message.Value = sarama.ByteEncoder(r.Value)
		}
		if r.Timestamp != nil {
			message.Timestamp = time.UnixMilli(*r.Timestamp)
		}
		for _, h := range r.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(h.Name), Value: h.Value})
		}
		messages = append(messages, message)
	}
	if err := producer.SendMessages(messages); err != nil {
		var failed sarama.ProducerErrors
		if errors.As(err, &failed) {
			return nil, failed[0].Err
		}
		return nil, err
	}
	offsets := []*int64{}
	for _, message := range messages {
		if c.Acks == "0" {
			offsets = append(offsets, nil)
		} else {
			offsets = append(offsets, &message.Offset)
		}
	}
	return lines.Fields{"offsets": offsets}, nil
}

func consume(cl sarama.Client, c *lines.Command) (lines.Fields, error) {
	start, err := c.Start()
	if err != nil {
		return nil, err
	}
	offset := start.Offset
	if start.Earliest {
		offset = sarama.OffsetOldest
	} else if start.Timestamp != nil {
		if offset, err = cl.GetOffset(c.Topic, c.Partition, *start.Timestamp); err != nil {
			return nil, err
		}
	}
	if c.Isolation == "read_committed" {
		config := config()
		config.Consumer.IsolationLevel = sarama.ReadCommitted
		if cl, err = sarama.NewClient([]string{c.Bootstrap}, config); err != nil {
			return nil, err
		}
		defer cl.Close()
	}
	consumer, err := sarama.NewConsumerFromClient(cl)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(c.Topic, c.Partition, offset)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	records := []lines.Record{}
	timeout := time.After(deadline)
	for len(records) < c.Count {
		select {
		case message := <-partition.Messages():
			timestamp := message.Timestamp.UnixMilli()
			record := lines.Record{Offset: &message.Offset, Timestamp: &timestamp, Key: message.Key, Value: message.Value, Headers: []lines.Header{}}
			for _, h := range message.Headers {
				record.Headers = append(record.Headers, lines.Header{Name: string(h.Key), Value: h.Value})
			}
			records = append(records, record)
		case err := <-partition.Errors():
			return nil, err
		case <-timeout:
			return nil, fmt.Errorf("%d of %d records in time", len(records), c.Count)
		}
	}
	return lines.Fields{"records": records}, nil
}

func main() {
	lines.Serve(run, describe)
}
