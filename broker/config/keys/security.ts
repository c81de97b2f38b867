// TLS, SASL, tokens and authorization.
import type { ConfigKey } from '../config-key.ts'
import {
  atLeast,
  between,
  boolean,
  double,
  int,
  javaClass,
  known,
  list,
  long,
  oneOf,
  oneOfAnyCase,
  password,
  short,
  string,
} from '../kinds.ts'

export const securityKeys: readonly ConfigKey[] = [
  known(
    'authorizer.class.name',
    string(''),
    'Java class that decides who may do what; empty allows everybody everything.',
  ),
  known('super.users', string(null), 'Principals that may do everything, separated by semicolons.'),
  known('allow.everyone.if.no.acl.found', boolean(false), 'Whether a resource without ACLs is open to everybody.'),
  known(
    'principal.builder.class',
    javaClass('org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder'),
    'Java class that turns a connection into a principal.',
    { updateMode: 'per-broker' },
  ),
  known('security.providers', string(null), 'Java classes that provide security algorithms.'),
  known(
    'delegation.token.secret.key',
    password(),
    'Secret that delegation tokens are signed with; the same on all brokers.',
  ),
  known(
    'delegation.token.max.lifetime.ms',
    long(604_800_000, atLeast(1)),
    'How long a delegation token can live, renewals included.',
  ),
  known(
    'delegation.token.expiry.time.ms',
    long(86_400_000, atLeast(1)),
    'How long a delegation token lives before it must be renewed.',
  ),
  known(
    'delegation.token.expiry.check.interval.ms',
    long(3_600_000, atLeast(1)),
    'How often expired delegation tokens are removed.',
  ),
  known(
    'ssl.client.auth',
    string('none', oneOf('required', 'requested', 'none')),
    'Whether clients must, may or need not show a certificate.',
    { updateMode: 'per-broker' },
  ),
  known('ssl.protocol', string('TLSv1.3'), "TLS version that Java's context is made for.", {
    updateMode: 'per-broker',
  }),
  known('ssl.enabled.protocols', list('TLSv1.2,TLSv1.3'), 'TLS versions that are accepted.', {
    updateMode: 'per-broker',
  }),
  known('ssl.cipher.suites', list(''), 'Cipher suites that are accepted; all good ones when empty.', {
    updateMode: 'per-broker',
  }),
  known('ssl.provider', string(null), 'Java security provider for TLS.', { updateMode: 'per-broker' }),
  known('ssl.keystore.type', string('JKS'), 'Format of the key store.', { updateMode: 'per-broker' }),
  known('ssl.keystore.location', string(null), "File with the broker's key and certificate.", {
    updateMode: 'per-broker',
  }),
  known('ssl.keystore.password', password(), 'Password of that file.', { updateMode: 'per-broker' }),
  known('ssl.keystore.key', password(), "The broker's private key as PEM text.", { updateMode: 'per-broker' }),
  known('ssl.keystore.certificate.chain', password(), "The broker's certificates as PEM text.", {
    updateMode: 'per-broker',
  }),
  known('ssl.key.password', password(), 'Password of the private key.', { updateMode: 'per-broker' }),
  known('ssl.truststore.type', string('JKS'), 'Format of the trust store.', { updateMode: 'per-broker' }),
  known('ssl.truststore.location', string(null), 'File with the certificates that are trusted.', {
    updateMode: 'per-broker',
  }),
  known('ssl.truststore.password', password(), 'Password of that file.', { updateMode: 'per-broker' }),
  known('ssl.truststore.certificates', password(), 'Trusted certificates as PEM text.', { updateMode: 'per-broker' }),
  known('ssl.keymanager.algorithm', string('SunX509'), 'Java algorithm that chooses keys.', {
    updateMode: 'per-broker',
  }),
  known('ssl.trustmanager.algorithm', string('PKIX'), 'Java algorithm that judges certificates.', {
    updateMode: 'per-broker',
  }),
  known(
    'ssl.endpoint.identification.algorithm',
    string('https'),
    'How the name of a server is checked against its certificate; empty does not check.',
    { updateMode: 'per-broker' },
  ),
  known('ssl.secure.random.implementation', string(null), 'Java source of chance for TLS.', {
    updateMode: 'per-broker',
  }),
  known('ssl.engine.factory.class', javaClass(null), 'Java class that makes TLS engines.', {
    updateMode: 'per-broker',
  }),
  known(
    'ssl.principal.mapping.rules',
    string('DEFAULT'),
    'Rules that turn the name in a certificate into a principal.',
  ),
  known('ssl.allow.dn.changes', boolean(false), 'Whether a replaced certificate may carry another name.'),
  known('ssl.allow.san.changes', boolean(false), 'Whether a replaced certificate may carry other alternative names.'),
  known('sasl.enabled.mechanisms', list('GSSAPI'), 'SASL mechanisms that clients may use.', {
    updateMode: 'per-broker',
  }),
  known('sasl.mechanism.inter.broker.protocol', string('GSSAPI'), 'SASL mechanism between brokers.', {
    updateMode: 'per-broker',
  }),
  known(
    'sasl.mechanism.controller.protocol',
    string('GSSAPI'),
    "SASL mechanism between brokers and Kafka's controllers.",
  ),
  known('sasl.jaas.config', password(), "Login configuration in the format of Java's JAAS.", {
    updateMode: 'per-broker',
  }),
  known('sasl.login.class', javaClass(null), 'Java class that logs in.'),
  known('sasl.login.callback.handler.class', javaClass(null), 'Java class that supplies the login.'),
  known('sasl.client.callback.handler.class', javaClass(null), 'Java class that answers as a SASL client.'),
  known('sasl.server.callback.handler.class', javaClass(null), 'Java class that checks SASL logins.'),
  known('sasl.server.max.receive.size', int(524_288), 'The largest message accepted while a client authenticates.'),
  known('sasl.login.connect.timeout.ms', int(null), 'How long connecting to an identity provider may take.'),
  known('sasl.login.read.timeout.ms', int(null), 'How long the answer of an identity provider may take.'),
  known('sasl.login.retry.backoff.ms', long(100), 'The first pause after a failed login.'),
  known('sasl.login.retry.backoff.max.ms', long(10_000), 'The longest pause after failed logins.'),
  known(
    'sasl.login.refresh.buffer.seconds',
    short(300),
    'How long before its end a credential is renewed at the latest.',
    { updateMode: 'per-broker' },
  ),
  known(
    'sasl.login.refresh.min.period.seconds',
    short(60),
    'How long a credential is kept at least before it is renewed.',
    { updateMode: 'per-broker' },
  ),
  known('sasl.login.refresh.window.factor', double(0.8), 'At what part of its life a credential is renewed.', {
    updateMode: 'per-broker',
  }),
  known('sasl.login.refresh.window.jitter', double(0.05), 'How much chance there is in that moment.', {
    updateMode: 'per-broker',
  }),
  known('sasl.kerberos.service.name', string(null), 'Kerberos name of the brokers.', { updateMode: 'per-broker' }),
  known('sasl.kerberos.kinit.cmd', string('/usr/bin/kinit'), 'Path of kinit.', { updateMode: 'per-broker' }),
  known('sasl.kerberos.min.time.before.relogin', long(60_000), 'How long a Kerberos login is kept at least.', {
    updateMode: 'per-broker',
  }),
  known(
    'sasl.kerberos.principal.to.local.rules',
    list('DEFAULT'),
    'Rules that turn Kerberos principals into short names.',
    { updateMode: 'per-broker' },
  ),
  known(
    'sasl.kerberos.ticket.renew.jitter',
    double(0.05),
    'How much chance there is in the moment of renewal of a Kerberos ticket.',
    { updateMode: 'per-broker' },
  ),
  known(
    'sasl.kerberos.ticket.renew.window.factor',
    double(0.8),
    'At what part of its life a Kerberos ticket is renewed.',
    { updateMode: 'per-broker' },
  ),
  known(
    'sasl.oauthbearer.allow.unverified.audience',
    boolean(false),
    'Whether tokens for any audience are accepted when none is expected.',
  ),
  known(
    'sasl.oauthbearer.allow.unverified.issuer',
    boolean(false),
    'Whether tokens of any issuer are accepted when none is expected.',
  ),
  known('sasl.oauthbearer.expected.audience', list(''), 'Audiences of which a token must name one.'),
  known('sasl.oauthbearer.expected.issuer', string(null), 'Issuer that a token must name.'),
  known('sasl.oauthbearer.scope.claim.name', string('scope'), 'Claim of a token that holds its scopes.'),
  known('sasl.oauthbearer.sub.claim.name', string('sub'), 'Claim of a token that holds its principal.'),
  known('sasl.oauthbearer.clock.skew.seconds', int(30), 'How far the clock of the issuer may be off.'),
  known('sasl.oauthbearer.jwks.endpoint.url', string(null), 'Where the keys are that verify tokens.'),
  known('sasl.oauthbearer.jwks.endpoint.refresh.ms', long(3_600_000), 'How often those keys are fetched.'),
  known(
    'sasl.oauthbearer.jwks.endpoint.retry.backoff.ms',
    long(100),
    'The first pause after those keys could not be fetched.',
  ),
  known(
    'sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms',
    long(10_000),
    'The longest pause after those keys could not be fetched.',
  ),
  known(
    'sasl.oauthbearer.jwt.retriever.class',
    javaClass('org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever'),
    'Java class that gets tokens.',
  ),
  known(
    'sasl.oauthbearer.jwt.validator.class',
    javaClass('org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator'),
    'Java class that checks tokens.',
  ),
  known('sasl.oauthbearer.token.endpoint.url', string(null), 'Where the broker itself gets tokens.'),
  known('sasl.oauthbearer.scope', string(null), 'Scope that the broker itself asks for.'),
  known(
    'sasl.oauthbearer.client.credentials.client.id',
    string(null),
    'Client id with which the broker itself asks for tokens.',
  ),
  known('sasl.oauthbearer.client.credentials.client.secret', password(), 'Secret that belongs to that client id.'),
  known(
    'sasl.oauthbearer.assertion.algorithm',
    string('RS256', oneOfAnyCase('ES256', 'RS256')),
    'How the broker signs an assertion when it asks for tokens.',
  ),
  known('sasl.oauthbearer.assertion.file', string(null), 'File with a ready assertion.'),
  known(
    'sasl.oauthbearer.assertion.template.file',
    string(null),
    'File with claims and headers that every assertion gets.',
  ),
  known('sasl.oauthbearer.assertion.private.key.file', string(null), 'File with the key that signs assertions.'),
  known('sasl.oauthbearer.assertion.private.key.passphrase', password(), 'Passphrase of that file.'),
  known('sasl.oauthbearer.assertion.claim.aud', string(null), 'Audience that assertions name.'),
  known('sasl.oauthbearer.assertion.claim.exp.seconds', int(300, between(0, 86_400)), 'How long assertions are valid.'),
  known('sasl.oauthbearer.assertion.claim.iss', string(null), 'Issuer that assertions name.'),
  known('sasl.oauthbearer.assertion.claim.jti.include', boolean(false), 'Whether assertions carry an id of their own.'),
  known(
    'sasl.oauthbearer.assertion.claim.nbf.seconds',
    int(60, between(0, 3600)),
    'How far back the validity of assertions begins.',
  ),
  known('sasl.oauthbearer.assertion.claim.sub', string(null), 'Subject that assertions name.'),
]
