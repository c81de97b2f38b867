// An administrator of the simulation: creates and deletes topics, and knows what it was told about them.
import { ok } from 'node:assert/strict'
import { ErrorCode, isRetriable } from '../../../broker/protocol/errors.ts'
import { CreateTopics } from '../../../broker/protocol/messages/create-topics.ts'
import { DeleteTopics } from '../../../broker/protocol/messages/delete-topics.ts'
import { ClusterClient, NoAnswer } from './cluster-client.ts'
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
  /** Ids of topics whose creation was answered, and that nobody asked to delete. */
  readonly topics = new Map<string, string>()

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
        const known = (await this.client.metadata(null)).find(topic => topic.name === name)
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

  /** Asks once; what becomes of it may stay unknown. */
  async deleteTopic(name: string): Promise<void> {
    const topicId = this.topics.get(name)
    if (topicId === undefined) return
    this.topics.delete(name)
    this.#history.gone.add(topicId)
    try {
      await this.client.ask(this.#controller(), DeleteTopics, 6, { topics: [{ topicId }], timeoutMs: 3000 })
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
    }
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
