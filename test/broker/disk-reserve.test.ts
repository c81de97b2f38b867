import { equal } from 'node:assert/strict'
import { test } from 'vitest'
import { tcpTransport } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { ErrorCode } from '../../broker/protocol/errors.ts'
import { CreateTopics } from '../../broker/protocol/messages/create-topics.ts'
import { DeleteTopics } from '../../broker/protocol/messages/delete-topics.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { buildBatch } from '../../broker/records/batch.ts'
import { startTestBroker } from './in-process.ts'

test('a disk with less free than the reserve refuses records, but a broker starts on it and topics can be deleted', async () => {
  const broker = await startTestBroker({ 'flotilla.disk.reserve.bytes': String(2 ** 52) })
  const connection = await BrokerConnection.open(tcpTransport, broker.address, 'test')
  const topic = { name: 'full', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  const created = await connection.request(CreateTopics, 5, { topics: [topic], timeoutMs: 1000 })
  equal(created.topics[0]!.errorCode, ErrorCode.NONE)
  const records = buildBatch({ records: [{ timestamp: 1, key: null, value: Buffer.from('x') }] })
  const topicData = [{ name: 'full', partitionData: [{ index: 0, records }] }]
  const produced = await connection.request(Produce, 8, { transactionalId: null, acks: -1, timeoutMs: 1000, topicData })
  equal(produced.responses[0]!.partitionResponses[0]!.errorCode, ErrorCode.KAFKA_STORAGE_ERROR)
  const deleted = await connection.request(DeleteTopics, 4, { topicNames: ['full'], timeoutMs: 1000 })
  equal(deleted.responses[0]!.errorCode, ErrorCode.NONE)
  connection.close()
  await broker.remove()
})
