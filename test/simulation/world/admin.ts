// An administrator of the simulation: creates and deletes topics, and knows what it was told about them.
import { deepEqual, ok } from 'node:assert/strict'
import { ErrorCode, isRetriable } from '../../../broker/protocol/errors.ts'
import { CreateTopics } from '../../../broker/protocol/messages/create-topics.ts'
import { DeleteTopics } from '../../../broker/protocol/messages/delete-topics.ts'
import { ClusterClient, NoAnswer, type KnownTopic } from './cluster-client.ts'
import type { History } from './history.ts'
import type { World } from './world.ts'

export type TopicOptions = {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs?: Readonly<Record<string, string>>
}

export class Admin {
  readonly client: ClusterClient
  readonly #history: History
  /** By name the ids of topics that were created, and that nobody asked to delete. */
  readonly topics = new Map<string, string>()
  readonly #deleted = new Set<string>()

  constructor(world: World, history: History) {
    this.client = new ClusterClient(world, 'admin')
    this.#history = history
  }

  /** Asks until the topic is there; resolves with its id. */
  async createTopic({ name, partitions, replicationFactor, configs = {} }: TopicOptions): Promise<string> {
    const topic = {
      name,
      numPartitions: partitions,
      replicationFactor,
      assignments: [],
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    }
    for (;;) {
      await this.client.sleep(this.client.world.dice.spread(1, 500))
      try {
        const known = (await this.#known()).find(topic => topic.name === name)
        if (known?.errorCode === ErrorCode.NONE) return this.#keep(name, known.topicId)
        const { topics } = await this.client.ask(this.#controller(), CreateTopics, 7, { topics: [topic] })
        const { errorCode, errorMessage, topicId } = topics[0]!
        if (errorCode === ErrorCode.NONE) return this.#keep(name, topicId)
        const isExpected =
          errorCode === ErrorCode.TOPIC_ALREADY_EXISTS || errorCode === ErrorCode.INVALID_REPLICATION_FACTOR
        ok(isExpected || isRetriable(errorCode), `CreateTopics is answered with ${errorCode}: ${errorMessage}`)
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
      }
    }
  }

  /** Asks until the topic is gone: from then on nobody may see it again. */
  async deleteTopic(name: string): Promise<void> {
    const topicId = this.topics.get(name)
    ok(topicId !== undefined, `there is no topic ${name}`)
    this.topics.delete(name)
    this.#history.gone.add(topicId)
    while (!(await this.#delete(topicId))) await this.client.sleep(this.client.world.dice.spread(1, 500))
    this.#deleted.add(topicId)
  }

  async #delete(topicId: string): Promise<boolean> {
    try {
      const body = { topics: [{ name: null, topicId }], timeoutMs: 3000 }
      const { errorCode } = (await this.client.ask(this.#controller(), DeleteTopics, 6, body)).responses[0]!
      const isGone = errorCode === ErrorCode.NONE || errorCode === ErrorCode.UNKNOWN_TOPIC_ID
      ok(isGone || isRetriable(errorCode), `DeleteTopics is answered with ${errorCode}`)
      return isGone
    } catch (error) {
      if (error instanceof NoAnswer) return false
      throw error
    }
  }

  /** The topics that there are, as a broker tells. Fails unless they are those that were created and not deleted. */
  async check(): Promise<void> {
    const known = await this.#known().catch((error: unknown) => {
      if (error instanceof NoAnswer) return null
      throw error
    })
    // A connection from before may turn out to be gone.
    if (known === null) return this.check()
    deepEqual(
      new Map(
        known.filter(({ errorCode }) => errorCode === ErrorCode.NONE).map(({ name, topicId }) => [name, topicId]),
      ),
      this.topics,
    )
  }

  async #known(): Promise<readonly KnownTopic[]> {
    const known = await this.client.metadata(null)
    for (const { name, topicId } of known) ok(!this.#deleted.has(topicId), `${name} was deleted, and is there`)
    return known
  }

  #controller(): number | null {
    const { controllerId } = this.client
    return controllerId < 0 ? null : controllerId
  }

  #keep(name: string, topicId: string): string {
    this.topics.set(name, topicId)
    return topicId
  }
}
