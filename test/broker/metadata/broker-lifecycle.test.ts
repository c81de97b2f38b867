import { deepEqual, equal, rejects } from 'node:assert/strict'
import { beforeEach, test } from 'vitest'
import { silentLogger } from '../../../broker/base/log.ts'
import { UserError } from '../../../broker/base/user-error.ts'
import { BrokerLifecycle } from '../../../broker/metadata/broker-lifecycle.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { manualClock, type ManualClock } from '../../manual-clock.ts'

const HEARTBEAT_MS = 2_000
type Sent = { readonly name: string; readonly body: Record<string, unknown> }

let clock: ManualClock
let sent: Sent[]
/** What the controller answers, by API. */
let answers: Record<string, () => object>
let reachedVersion: number

beforeEach(() => {
  clock = manualClock()
  sent = []
  reachedVersion = 0
  answers = {
    BrokerRegistration: () => ({ errorCode: ErrorCode.NONE, brokerEpoch: 17 }),
    BrokerHeartbeat: () => ({ errorCode: ErrorCode.NONE, isCaughtUp: true, isFenced: false, shouldShutDown: false }),
  }
})

function lifecycle(): BrokerLifecycle {
  return new BrokerLifecycle({
    clock,
    log: silentLogger,
    channel: {
      request: (api, _version, body) => {
        sent.push({ name: api.name, body: body as Record<string, unknown> })
        return new Promise(resolve => resolve(answers[api.name]!() as never))
      },
    },
    clusterId: 'cluster',
    brokerId: 3,
    incarnation: 'incarnation',
    directoryId: 'directory',
    rack: 'a',
    listeners: [{ name: 'INTERNAL', host: 'h', port: 9, securityProtocol: 'SASL_SSL' }],
    previousBrokerEpoch: 5,
    heartbeatIntervalMs: HEARTBEAT_MS,
    reachedVersion: () => reachedVersion,
  })
}

const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const names = (): string[] => sent.map(({ name }) => name)

async function advance(byMs: number): Promise<void> {
  await settled()
  clock.advance(byMs)
  await settled()
}

test('a broker registers with what it is and begins to say that it lives', async () => {
  const broker = lifecycle()
  equal(await broker.register(), 17)
  deepEqual(sent[0]!.body['listeners'], [{ name: 'INTERNAL', host: 'h', port: 9, securityProtocol: 3 }])
  deepEqual(sent[0]!.body['logDirs'], ['directory'])
  equal(sent[0]!.body['previousBrokerEpoch'], 5)
  await broker.unfenced
  equal(broker.isFenced, false)
  await advance(HEARTBEAT_MS)
  deepEqual(names(), ['BrokerRegistration', 'BrokerHeartbeat', 'BrokerHeartbeat'])
  equal(sent[1]!.body['brokerEpoch'], 17)
})

test('a controller that cannot be reached, or is none, is asked again', async () => {
  let round = 0
  answers['BrokerRegistration'] = () => {
    if (round++ === 0) throw new Error('nobody is the controller')
    return { errorCode: round === 2 ? ErrorCode.NOT_CONTROLLER : ErrorCode.NONE, brokerEpoch: 8 }
  }
  const registered = lifecycle().register()
  await advance(100)
  await advance(100)
  equal(await registered, 8)
})

test('a registration that can never succeed ends with a message for people', async () => {
  answers['BrokerRegistration'] = () => ({ errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID, brokerEpoch: -1 })
  await rejects(lifecycle().register(), UserError)
})

test('while it is fenced it asks often, with how far it has come', async () => {
  answers['BrokerHeartbeat'] = () => ({
    errorCode: ErrorCode.NONE,
    isFenced: reachedVersion < 20,
    shouldShutDown: false,
  })
  const broker = lifecycle()
  await broker.register()
  await advance(50)
  equal(broker.isFenced, true)
  reachedVersion = 20
  await advance(50)
  await broker.unfenced
  equal(sent.at(-1)!.body['currentMetadataOffset'], 20)
})

test('a heartbeat that fails is followed by the next', async () => {
  const broker = lifecycle()
  await broker.register()
  await broker.unfenced
  const good = answers['BrokerHeartbeat']!
  answers['BrokerHeartbeat'] = () => {
    throw new Error('connection lost')
  }
  await advance(HEARTBEAT_MS)
  answers['BrokerHeartbeat'] = good
  const before = sent.length
  await advance(HEARTBEAT_MS)
  equal(sent.length, before + 1)
  equal(broker.isFenced, false)
})

test('to stop, it asks until nobody needs it, and is silent afterwards', async () => {
  const broker = lifecycle()
  await broker.register()
  await broker.unfenced
  let isNeeded = true
  answers['BrokerHeartbeat'] = () => ({ errorCode: ErrorCode.NONE, isFenced: false, shouldShutDown: !isNeeded })
  const stopped = broker.stop()
  await advance(50)
  equal(sent.at(-1)!.body['wantShutDown'], true)
  isNeeded = false
  await advance(50)
  await stopped
  const { length } = sent
  await advance(60_000)
  equal(sent.length, length)
})

test('without a controller it stops after a while all the same', async () => {
  const broker = lifecycle()
  await broker.register()
  answers['BrokerHeartbeat'] = () => {
    throw new Error('nobody is the controller')
  }
  const stopped = broker.stop()
  for (let passedMs = 0; passedMs <= 30_000; passedMs += 1_000) await advance(1_000)
  await stopped
})

test('a broker whose id has another life is fenced', async () => {
  const broker = lifecycle()
  await broker.register()
  await broker.unfenced
  answers['BrokerHeartbeat'] = () => ({
    errorCode: ErrorCode.STALE_BROKER_EPOCH,
    isFenced: true,
    shouldShutDown: false,
  })
  await advance(HEARTBEAT_MS)
  equal(broker.isFenced, true)
})
