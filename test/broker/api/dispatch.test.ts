import { deepEqual, equal, rejects, throws } from 'node:assert/strict'
import { test } from 'vitest'
import type { Context } from '../../../broker/api/context.ts'
import { Dispatcher } from '../../../broker/api/dispatch.ts'
import { handler, Unsent, type Handler } from '../../../broker/api/handler.ts'
import type { Logger } from '../../../broker/base/log.ts'
import { createMetrics } from '../../../broker/metrics.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { encodeRequest } from '../../../broker/protocol/header.ts'
import { ListOffsets } from '../../../broker/protocol/messages/list-offsets.ts'
import { Produce } from '../../../broker/protocol/messages/produce.ts'
import type { Api } from '../../../broker/protocol/schema.ts'
import { manualClock } from '../../manual-clock.ts'

const connection = {
  id: 'PLAINTEXT-1',
  remoteAddress: '127.0.0.1',
  remotePort: 5,
  listenerName: 'PLAINTEXT',
  principal: 'User:ANONYMOUS',
  throttle: () => {},
  close: () => {},
}
const produceRequest = { transactionalId: null, acks: 1, timeoutMs: 1_000, topicData: [] }

function answer(...errorCodes: ErrorCode[]) {
  const partitionResponses = errorCodes.map((errorCode, index) => ({
    index,
    errorCode,
    baseOffset: -1,
    errorMessage: errorCode === ErrorCode.NONE ? null : `why ${index}`,
  }))
  return { responses: [{ name: 'orders', partitionResponses }] }
}

/** A dispatcher of one handler, what it logs, and its metrics by name and labels. */
function dispatcherOf(served: Handler) {
  const clock = manualClock()
  const lines: Record<string, unknown>[] = []
  const note = (level: string) => (fields: object | string) => void lines.push({ level, ...(fields as object) })
  const log: Logger = {
    debug: () => {},
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
    child: () => log,
  }
  const metrics = createMetrics()
  const apis = new Map([[served.api.key, served]])
  const context = { clock, log, apis, quotas: { isActive: false } } as unknown as Context
  const dispatcher = new Dispatcher(context, metrics)
  return {
    clock,
    lines,
    inFlight: () => Object.fromEntries(dispatcher.inFlight()),
    send(api: Api, body: object) {
      const frame = Buffer.concat(encodeRequest(api, 9, 7, 'client', body as never)).subarray(4)
      return dispatcher.dispatch(frame, connection, bytes => bytes, new AbortController().signal)
    },
    async counted(name: string): Promise<Record<string, number>> {
      const { values } = await metrics.registry.getSingleMetric(name)!.get()
      return Object.fromEntries(values.map(({ labels, value }) => [Object.values(labels).join(' '), value]))
    },
  }
}

const ERRORS = 'kafka_network_requestmetrics_errors_total'

test('every partition with an error is counted by API and error, those without are not', async () => {
  const { NONE, NOT_LEADER_OR_FOLLOWER, OUT_OF_ORDER_SEQUENCE_NUMBER } = ErrorCode
  const answers = [answer(NONE, NOT_LEADER_OR_FOLLOWER, NOT_LEADER_OR_FOLLOWER), answer(OUT_OF_ORDER_SEQUENCE_NUMBER)]
  const broker = dispatcherOf(handler(Produce, () => answers.shift() ?? answer(NONE)))
  for (let i = 0; i < 3; i++) await broker.send(Produce, produceRequest)
  deepEqual(await broker.counted(ERRORS), {
    'Produce NOT_LEADER_OR_FOLLOWER': 2,
    'Produce OUT_OF_ORDER_SEQUENCE_NUMBER': 1,
  })
})

test('errors that nobody waits for are counted and not sent', async () => {
  const broker = dispatcherOf(handler(Produce, async () => new Unsent(answer(ErrorCode.CORRUPT_MESSAGE))))
  equal(await broker.send(Produce, produceRequest), null)
  deepEqual(await broker.counted(ERRORS), { 'Produce CORRUPT_MESSAGE': 1 })
})

test('an error is told with what it is about, then once a minute with how many there were since', async () => {
  const broker = dispatcherOf(handler(Produce, () => answer(ErrorCode.NONE, ErrorCode.KAFKA_STORAGE_ERROR)))
  for (let i = 0; i < 4; i++) await broker.send(Produce, produceRequest)
  broker.clock.advance(60_000)
  await broker.send(Produce, produceRequest)
  const line = {
    level: 'info',
    api: 'Produce',
    error: 'KAFKA_STORAGE_ERROR',
    of: { name: 'orders', index: 1 },
    text: 'why 1',
    cause: undefined,
    clientId: 'client',
    connection: 'PLAINTEXT-1',
    peer: '127.0.0.1',
  }
  deepEqual(broker.lines, [
    { ...line, untold: undefined },
    { ...line, untold: 3 },
  ])
})

test('an error of the ordinary course of things is told to nobody who does not ask for details', async () => {
  const broker = dispatcherOf(handler(Produce, () => answer(ErrorCode.NONE, ErrorCode.REBALANCE_IN_PROGRESS)))
  await broker.send(Produce, produceRequest)
  deepEqual(
    broker.lines.filter(({ level }) => level !== 'debug'),
    [],
  )
})

test('the cause of an error is told and not sent', async () => {
  const told = answer(ErrorCode.KAFKA_STORAGE_ERROR)
  Object.assign(told.responses[0]!.partitionResponses[0]!, { cause: 'StorageError: /secret/path' })
  const broker = dispatcherOf(handler(Produce, () => told))
  const sent = (await broker.send(Produce, produceRequest))!
  equal(broker.lines[0]!.cause, 'StorageError: /secret/path')
  equal(Buffer.concat(sent).includes('secret'), false)
})

test('requests in flight are those that have begun and not ended, whichever way they end', async () => {
  const outcomes: PromiseWithResolvers<ReturnType<typeof answer>>[] = []
  const broker = dispatcherOf(
    handler(Produce, () => {
      const outcome = Promise.withResolvers<ReturnType<typeof answer>>()
      outcomes.push(outcome)
      return outcome.promise
    }),
  )
  const sent = [broker.send(Produce, produceRequest), broker.send(Produce, produceRequest)]
  deepEqual(broker.inFlight(), { Produce: 2 })
  outcomes[0]!.resolve(answer(ErrorCode.NONE))
  await sent[0]
  deepEqual(broker.inFlight(), { Produce: 1 })
  outcomes[1]!.reject(new Error('a bug'))
  await rejects(Promise.resolve(sent[1]), /a bug/)
  deepEqual(broker.inFlight(), { Produce: 0 })
})

test('an answer that cannot be encoded is a fault: logged, counted, and the connection is closed', async () => {
  const unfit = { topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, errorCode: 0, offset: 0.5 }] }] }
  for (const isAsync of [false, true]) {
    const broker = dispatcherOf(handler(ListOffsets, () => (isAsync ? Promise.resolve(unfit) : unfit)))
    const send = () => broker.send(ListOffsets, { replicaId: -1, topics: [] })
    if (isAsync) await rejects(Promise.resolve(send()), /offset must be/)
    else throws(send, /offset must be/)
    deepEqual(await broker.counted('flotilla_request_failures_total'), { ListOffsets: 1 })
    deepEqual(
      broker.lines.map(({ level, api }) => [level, api]),
      [['error', 'ListOffsets']],
    )
    deepEqual(broker.inFlight(), { ListOffsets: 0 })
  }
})
