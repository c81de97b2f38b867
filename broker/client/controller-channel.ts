// How a broker talks to whoever is the controller at the moment.
import type { Api, RequestInit, ResponseOf } from '../protocol/schema.ts'

export type ControllerChannel = {
  /**
   * Asks the controller, wherever it is; within this process when it is this broker. Rejects when nobody is known to be the controller, or the
   * connection ended: then the request may or may not have been carried out. Whoever asks decides about asking again.
   */
  request<A extends Api>(api: A, version: number, body: RequestInit<A>): Promise<ResponseOf<A>>
}
