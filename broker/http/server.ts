// The broker's HTTP port: a route is a function that adds itself to the app; index.ts is the list of them.
import express from 'express'
import type { Server } from 'node:http'
import type { Address } from '../base/transport.ts'
import type { HttpContext, Route } from './route.ts'

export type HttpServer = { readonly port: number; stop(): Promise<void> }

/** Serves `routes` to at most `maxConnections` at a time. Rejects with the system's error when the port cannot be had. */
export function serveHttp(
  address: Address,
  routes: readonly Route[],
  context: HttpContext,
  maxConnections = Infinity,
): Promise<HttpServer> {
  const app = express()
  app.disable('x-powered-by')
  for (const route of routes) route(app, context)
  const message = 'no such path; /metrics is for Prometheus, /livez and /readyz are for probes'
  app.use((_request, response) => void response.status(404).json({ error_code: 404, message }))
  return new Promise((resolve, reject) => {
    const server: Server = app.listen(address.port, address.host, error => {
      if (error) return reject(error)
      server.maxConnections = maxConnections
      resolve({
        port: (server.address() as { port: number }).port,
        stop: () =>
          new Promise(done => {
            server.close(() => done())
            server.closeAllConnections()
          }),
      })
    })
  })
}
