// SCRAM credentials of users (KIP-554, RFC 5802): AlterUserScramCredentials as a decision on the metadata image, and its description.
// Clients send a salted password; what is kept is what proves that somebody knows it, and lets nobody log in who reads it. The texts
// are Kafka's (ScramControlManager). Not here: logging in.
import { createHash, createHmac } from 'node:crypto'
import { ErrorCode } from '../protocol/errors.ts'
import type { MetadataImage, ScramCredential, ScramMechanism } from './image.ts'
import type { MetadataRecord } from './records.ts'
import { DONE, duplicatesOf, refuse, tooManyAlterations, type Outcome } from './refusal.ts'

export type CredentialDeletion = { readonly name: string; readonly mechanism: number }

export type CredentialUpsertion = {
  readonly name: string
  readonly mechanism: number
  readonly iterations: number
  readonly salt: Buffer
  readonly saltedPassword: Buffer
}

export type AlteredCredential = Outcome & { readonly user: string }

export type DescribedCredentials = Outcome & {
  readonly user: string
  readonly credentialInfos: readonly { readonly mechanism: number; readonly iterations: number }[]
}

const MIN_ITERATIONS = 4096
const MAX_ITERATIONS = 16384
/** Kafka has no bound; its tools and clients make salts of less than 32 bytes, and what is kept is sent to every broker. */
const MAX_SALT_BYTES = 1024

/** ScramMechanism on the wire. */
const MECHANISMS: ReadonlyMap<number, { readonly name: ScramMechanism; readonly hash: string }> = new Map([
  [1, { name: 'SCRAM-SHA-256', hash: 'sha256' }],
  [2, { name: 'SCRAM-SHA-512', hash: 'sha512' }],
])

/** One result for each user, in the order of the request. A user who appears twice is not altered at all. */
export function alterScramCredentials(
  image: MetadataImage,
  deletions: readonly CredentialDeletion[],
  upsertions: readonly CredentialUpsertion[],
  emit: (record: MetadataRecord) => void,
): AlteredCredential[] {
  const excess = tooManyAlterations(deletions.length + upsertions.length)
  // Before anything is compared: a request may hold a million of them.
  if (excess !== null) {
    const named = new Set([...deletions, ...upsertions].map(({ name }) => name))
    return [...named].map(user => ({ ...excess, user }))
  }
  const refusals = new Map<string, Outcome>()
  const changes = new Map<string, () => MetadataRecord>()
  const users = new Set<string>()
  const consider = (user: string, refusal: Outcome | null, change: () => MetadataRecord): void => {
    users.add(user)
    if (refusals.has(user)) return
    const problem = changes.delete(user) ? ALTERED_TWICE : refusal
    if (problem === null) changes.set(user, change)
    else refusals.set(user, problem)
  }
  for (const deletion of deletions) {
    consider(deletion.name, refusedDeletion(image, deletion), () => ({
      kind: 'scram-credential-removed',
      user: deletion.name,
      mechanism: MECHANISMS.get(deletion.mechanism)!.name,
    }))
  }
  for (const upsertion of upsertions) {
    consider(upsertion.name, refusedUpsertion(upsertion), () => credentialSet(upsertion))
  }
  for (const change of changes.values()) emit(change())
  return [...users].map(user => ({ ...(refusals.get(user) ?? DONE), user }))
}

const ALTERED_TWICE = refuse(
  ErrorCode.DUPLICATE_RESOURCE,
  'A user credential cannot be altered twice in the same request',
)

function refusedDeletion(image: MetadataImage, { name, mechanism }: CredentialDeletion): Outcome | null {
  const refusal = refusedName(name, mechanism)
  if (refusal !== null) return refusal
  if (image.scramCredentials.get(name)?.[MECHANISMS.get(mechanism)!.name] !== undefined) return null
  return refuse(ErrorCode.RESOURCE_NOT_FOUND, 'Attempt to delete a user credential that does not exist')
}

function refusedUpsertion({ name, mechanism, iterations, salt, saltedPassword }: CredentialUpsertion): Outcome | null {
  const refusal = refusedName(name, mechanism)
  if (refusal !== null) return refusal
  if (iterations < MIN_ITERATIONS) return refuse(ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Too few iterations')
  if (iterations > MAX_ITERATIONS) return refuse(ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Too many iterations')
  // Kafka fails on it with UNKNOWN_SERVER_ERROR.
  if (saltedPassword.length === 0) return refuse(ErrorCode.UNACCEPTABLE_CREDENTIAL, 'The salted password is empty')
  if (salt.length > MAX_SALT_BYTES) {
    return refuse(ErrorCode.UNACCEPTABLE_CREDENTIAL, `The salt is longer than ${MAX_SALT_BYTES} bytes`)
  }
  return null
}

function refusedName(name: string, mechanism: number): Outcome | null {
  if (name === '') return refuse(ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Username must not be empty')
  if (MECHANISMS.has(mechanism)) return null
  return refuse(ErrorCode.UNSUPPORTED_SASL_MECHANISM, 'Unknown SCRAM mechanism')
}

function credentialSet({ name, mechanism, iterations, salt, saltedPassword }: CredentialUpsertion): MetadataRecord {
  const { name: mechanismName, hash } = MECHANISMS.get(mechanism)!
  const keyOf = (label: string): Buffer => createHmac(hash, saltedPassword).update(label).digest()
  return {
    kind: 'scram-credential-set',
    user: name,
    mechanism: mechanismName,
    salt: salt.toString('base64'),
    storedKey: createHash(hash).update(keyOf('Client Key')).digest('base64'),
    serverKey: keyOf('Server Key').toString('base64'),
    iterations,
  }
}

/** The mechanisms of `users`, in the order of their names; null or none: of everybody who has a credential. */
export function describeScramCredentials(
  image: MetadataImage,
  users: readonly string[] | null,
): DescribedCredentials[] {
  const isEverybody = users === null || users.length === 0
  const excess = tooManyAlterations(users?.length ?? 0)
  if (users !== null && excess !== null) {
    return [...new Set(users)].map(user => ({ ...excess, user, credentialInfos: [] }))
  }
  const duplicates = isEverybody ? new Set<string>() : duplicatesOf(users)
  const names = [...new Set(isEverybody ? image.scramCredentials.keys() : users)].sort()
  return names.map(user => {
    const credentials = image.scramCredentials.get(user)
    if (duplicates.has(user)) {
      const problem = `Cannot describe SCRAM credentials for the same user twice in a single request: ${user}`
      return { ...refuse(ErrorCode.DUPLICATE_RESOURCE, problem), user, credentialInfos: [] }
    }
    if (credentials === undefined) {
      const problem = `Attempt to describe a user credential that does not exist: ${user}`
      return { ...refuse(ErrorCode.RESOURCE_NOT_FOUND, problem), user, credentialInfos: [] }
    }
    return { ...DONE, user, credentialInfos: infosOf(credentials) }
  })
}

function infosOf(credentials: { readonly [Mechanism in ScramMechanism]?: ScramCredential }) {
  return [...MECHANISMS].flatMap(([mechanism, { name }]) => {
    const credential = credentials[name]
    return credential === undefined ? [] : [{ mechanism, iterations: credential.iterations }]
  })
}
