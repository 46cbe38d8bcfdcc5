// What the API serves; server.ts says how it runs.

import cookies from "@fastify/cookie";
import helmet from "@fastify/helmet";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyPluginCallback, HTTPMethods, RouteOptions } from "fastify";
import { jsonSchemaTransform, jsonSchemaTransformObject, type ZodTypeProvider } from "fastify-type-provider-zod";
import { LetheError } from "../domain/errors.ts";
import { machineRoles } from "../domain/roles.ts";
import { createApiKeyAuthenticator } from "./authenticators/apiKey.ts";
import { createKeyring } from "./authenticators/keyring.ts";
import { createSessionAuthenticator } from "./authenticators/session.ts";
import { addSignedBodies } from "./authenticators/signature.ts";
import { createTokenAuthenticator } from "./authenticators/token.ts";
import type { ApiDeps } from "./deps.ts";
import { describeHeaders } from "./headers.ts";
import { createInstance, type Instance } from "./instance.ts";
import { linkOperations } from "./linkOperations.ts";
import { createMetrics } from "./metrics.ts";
import { markOptionalBodies } from "./optionalBodies.ts";
import { createEnrol } from "./people/enrol.ts";
import { createPasskeys } from "./people/passkeys.ts";
import { createPasswords } from "./people/passwords.ts";
import { createPersonSessions } from "./people/personSessions.ts";
import { createSessionCookie, sessionCookieName } from "./people/sessionCookie.ts";
import { createSignIn } from "./people/signIn.ts";
import { createSso } from "./people/sso.ts";
import { addAccess, addAuth } from "./plugins/auth.ts";
import { addEvidence } from "./plugins/evidence.ts";
import { addIdempotency } from "./plugins/idempotency.ts";
import { shedOverload } from "./plugins/overload.ts";
import { createProblem } from "./plugins/problem.ts";
import { addAddressLimit, addRequestLimits, createFailures, slowFailures } from "./plugins/requestLimits.ts";
import { routeAccess } from "./roles.ts";
import { addAlerts } from "./routes/alerts.ts";
import { addApiKeys } from "./routes/apiKeys.ts";
import { addBatches } from "./routes/batches.ts";
import { takeRawBodies } from "./routes/callbacks/callbacks.ts";
import { addInbound } from "./routes/callbacks/inbound.ts";
import { addReceipts } from "./routes/callbacks/receipts.ts";
import { addCertificates, addPublicKeys } from "./routes/certificates.ts";
import { addConsents } from "./routes/consents.ts";
import { addErrorPages } from "./routes/errors.ts";
import { addEvidenceLog } from "./routes/evidence.ts";
import { addHolds } from "./routes/holds.ts";
import { addLinks } from "./routes/links/links.ts";
import { addCancelMessage } from "./routes/messages/cancel.ts";
import { addCheckText } from "./routes/messages/check.ts";
import { addCreateMessage } from "./routes/messages/create.ts";
import { addDecision } from "./routes/messages/decision.ts";
import { addGetMessage } from "./routes/messages/get.ts";
import { addListMessages } from "./routes/messages/list.ts";
import { addSendingReceipt } from "./routes/messages/receipt.ts";
import { addRevealMessage } from "./routes/messages/reveal.ts";
import { addSearchMessages } from "./routes/messages/search.ts";
import { addTokenEndpoint, addTokenMetadata } from "./routes/oauth.ts";
import { addOperations } from "./routes/operations.ts";
import { addOptOuts } from "./routes/optOuts.ts";
import { addCredentials } from "./routes/people/credentials.ts";
import { addPeople } from "./routes/people/people.ts";
import { addSessions } from "./routes/people/sessions.ts";
import { addSignIn } from "./routes/people/signIn.ts";
import { addPolicies } from "./routes/policies/policies.ts";
import { addProposals } from "./routes/policies/proposals.ts";
import { addQueues } from "./routes/queues.ts";
import { addRecipientKeys } from "./routes/recipientKeys.ts";
import { addSendingLimits } from "./routes/sendingLimits.ts";
import { addCreateRequest } from "./routes/subjectRequests/create.ts";
import { addExportRequest } from "./routes/subjectRequests/export.ts";
import { addReadRequests } from "./routes/subjectRequests/read.ts";
import { addRequestRecords } from "./routes/subjectRequests/records.ts";
import { addRequestSteps } from "./routes/subjectRequests/steps.ts";
import { addTemplates } from "./routes/templates.ts";
import { addVerifications } from "./routes/verifications.ts";
import { addDeliveries } from "./routes/webhookEndpoints/deliveries.ts";
import { addEndpoints } from "./routes/webhookEndpoints/endpoints.ts";
import { createSendCounts, type SendCounter } from "./sendCounts.ts";
import { tags } from "./tags.ts";
import { watchForgetting } from "./watchForgetting.ts";

// Two years, as Mozilla's guideline has it. Browsers heed it over TLS only.
const hstsSeconds = 63_072_000;
const docsPolicy =
	"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/** With what there is one of in this process, whichever route it is used by. */
type SharedDeps = ApiDeps & { metrics: ReturnType<typeof createMetrics>; sendCounts: SendCounter };

/** The API, ready to listen or to be injected. */
export async function createApp(deps: ApiDeps) {
	const app = createInstance(deps);
	const metrics = createMetrics();
	watchForgetting(metrics, deps);
	const known = collectMethods(app);
	app.addHook("onResponse", async (request, reply) => {
		metrics.observeRequest(
			request.method,
			request.routeOptions.url ?? "none",
			reply.statusCode,
			reply.elapsedTime / 1000,
		);
	});
	addAddressLimit(app, deps);
	await app.register(cookies);
	await addDocs(app, deps);
	const signingIn = createSigningIn(deps);

	addErrorPages(app);
	addTokenMetadata(app, deps);
	const own = { ...deps, keyring: createKeyring({ ...deps, metrics }), failures: createFailures(deps) };
	const shared = { ...deps, metrics, sendCounts: createSendCounts(deps) };
	for (const prefix of ["", "/v1"]) {
		await addServing(app, deps, prefix, (scope) => addTokenEndpoint(scope, own));
	}
	for (const prefix of ["", "/v1"]) {
		await addScope(app, prefix, (scope) => addPublicKeys(scope, deps));
		await addScope(app, prefix, (scope) => addOperations(scope, { ...deps, metrics }));
	}
	await addOpenScopes(app, shared, signingIn);
	await addServing(app, deps, "/v1", (scope) => {
		slowFailures(scope, own.failures, createProblem(deps));
		addSignedBodies(scope, own);
		askWhoCalls(scope, own, signingIn);
		addRequestLimits(scope, deps);
		askWhatTheyMay(scope, deps);
		addIdempotency(scope, deps);
		addEvidence(scope, deps);
		addMessageRoutes(scope, shared);
		addTemplates(scope, deps);
		addPolicies(scope, deps);
		addProposals(scope, deps);
		addCertificates(scope, deps);
		addRecipientRoutes(scope, deps);
		addCreateRequest(scope, deps);
		addReadRequests(scope, deps);
		addRequestSteps(scope, deps);
		addExportRequest(scope, deps);
		addRequestRecords(scope, deps);
		addRunning(scope, shared);
		addApiKeys(scope, deps);
		addSendingLimits(scope, deps);
		addEvidenceLog(scope, deps);
		addTellingRoutes(scope, shared);
		addPeopleRoutes(scope, deps, signingIn);
	});
	refuseOtherMethods(app, known);
	return app;
}

/** What asks nobody for a key: recipients, carriers, and who signs in. Each has room of its own: a flood at one keeps nobody out of another. */
async function addOpenScopes(
	app: Instance,
	deps: SharedDeps,
	signingIn: ReturnType<typeof createSigningIn>,
): Promise<void> {
	await addServing(app, deps, "", (scope) => addLinks(scope, deps));
	await addServing(app, deps, "/v1", (scope) => {
		takeRawBodies(scope);
		addReceipts(scope, deps);
		addInbound(scope, deps);
	});
	await addServing(app, deps, "/v1", (scope) => addSignIn(scope, { ...deps, ...signingIn }));
}

/** What people sign in with. */
function createSigningIn(deps: ApiDeps) {
	const passwords = createPasswords();
	const passkeys = createPasskeys({ ...deps, macs: deps.personMacs });
	const shared = { ...deps, passwords, passkeys };
	const enrol = createEnrol(shared);
	return {
		passwords,
		passkeys,
		personSessions: createPersonSessions({ ...deps, macs: deps.personMacs }),
		cookie: createSessionCookie(deps.publicUrl),
		signIn: createSignIn(shared),
		enrol,
		sso: createSso({ ...deps, enrol }),
	};
}

/** Each way in is asked in turn. */
function askWhoCalls(
	scope: Instance,
	deps: ApiDeps & { keyring: ReturnType<typeof createKeyring> },
	{ personSessions: sessions, cookie }: ReturnType<typeof createSigningIn>,
): void {
	const authenticators = [
		createApiKeyAuthenticator(deps),
		createTokenAuthenticator(deps),
		createSessionAuthenticator({ sessions, cookie }),
	];
	addAuth(scope, authenticators);
}

function askWhatTheyMay(scope: Instance, { sessionLimits, clock }: Pick<ApiDeps, "sessionLimits" | "clock">): void {
	addAccess(scope, routeAccess, { freshMfaMs: sessionLimits.freshMfaMs, clock });
}

function addMessageRoutes(scope: Instance, deps: SharedDeps): void {
	addCreateMessage(scope, deps);
	addGetMessage(scope, deps);
	addListMessages(scope, deps);
	addCancelMessage(scope, deps);
	addRevealMessage(scope, deps);
	addSearchMessages(scope, deps);
	addBatches(scope, deps);
	addCheckText(scope, deps);
	addDecision(scope, deps);
	addSendingReceipt(scope, deps);
}

/** What is on record of recipients. */
function addRecipientRoutes(scope: Instance, deps: ApiDeps): void {
	addConsents(scope, deps);
	addOptOuts(scope, deps);
	addRecipientKeys(scope, deps);
	addHolds(scope, deps);
}

/** One-time codes, and who is told what becomes of messages. */
function addTellingRoutes(scope: Instance, deps: SharedDeps): void {
	deps.metrics.watch(
		"lethe_webhook_endpoints_failed",
		"Endpoints that are disabled because they failed for a day, or are gone.",
		deps.store.webhookEndpoints.countFailed,
	);
	addVerifications(scope, deps);
	addEndpoints(scope, deps);
	addDeliveries(scope, deps);
}

function addPeopleRoutes(scope: Instance, deps: ApiDeps, signingIn: ReturnType<typeof createSigningIn>): void {
	addPeople(scope, deps);
	addSessions(scope, { ...deps, ...signingIn });
	addCredentials(scope, { ...deps, ...signingIn });
}

/** What whoever runs the deployment sees and does. */
function addRunning(scope: Instance, deps: SharedDeps): void {
	deps.metrics.watch(
		"lethe_send_queues_failing",
		"Send queues whose carrier fails at present, or refuses or lacks its credentials.",
		async () => (await deps.sendQueues.failing((await deps.store.sendQueues.all()).map(({ _id }) => _id))).size,
	);
	addQueues(scope, deps);
	addAlerts(scope, deps);
}

/** Nothing is taken in or told while the store is older than it was; whoever asks comes again. */
function refuseQuarantined(scope: Instance, { quarantine }: Pick<ApiDeps, "quarantine">): void {
	scope.addHook("onRequest", async () => quarantine.checkSettled());
}

/** Routes with room of their own, which serve nobody in quarantine. */
function addServing(
	app: Instance,
	deps: Pick<ApiDeps, "requestLimits" | "quarantine">,
	prefix: string,
	add: (scope: Instance) => void,
): Promise<void> {
	return addScope(app, prefix, (scope) => {
		shedOverload(scope, deps.requestLimits);
		refuseQuarantined(scope, deps);
		add(scope);
	});
}

// Hooks and parsers that `add` sets hold for its own routes only.
async function addScope(app: Instance, prefix: string, add: (scope: Instance) => void): Promise<void> {
	const plugin: FastifyPluginCallback = (scope, _options, done) => {
		add(scope.withTypeProvider<ZodTypeProvider>());
		done();
	};
	await app.register(plugin, { prefix });
}

async function addDocs(app: Instance, { publicUrl, version }: Pick<ApiDeps, "publicUrl" | "version">): Promise<void> {
	// Answers are data: a browser that shows one as a page must run and load nothing. The docs bring their own policy.
	const nothing = { useDefaults: false, directives: { "default-src": ["'none'"], "frame-ancestors": ["'none'"] } };
	await app.register(helmet, { contentSecurityPolicy: nothing, hsts: { maxAge: hstsSeconds } });
	const scopes = Object.fromEntries(machineRoles.map((role) => [role, `What the role ${role} may.`]));
	await app.register(swagger, {
		openapi: {
			openapi: "3.1.0",
			info: { title: "Lethe", version, description: "Sends messages, and proves that it forgot them." },
			servers: [{ url: publicUrl }],
			tags,
			components: {
				securitySchemes: {
					apiKey: { type: "http", scheme: "bearer" },
					oauth: { type: "oauth2", flows: { clientCredentials: { tokenUrl: `${publicUrl}/oauth/token`, scopes } } },
					session: { type: "apiKey", in: "cookie", name: sessionCookieName },
				},
			},
		},
		transform: (route) => {
			const { schema: plain, url } = jsonSchemaTransform(route);
			const secured = Boolean(route.route.config?.access);
			const schema = describeHeaders(plain, secured);
			const ways: Record<string, string[]>[] = secured ? [{ apiKey: [] }, { oauth: [] }, { session: [] }] : [];
			return { schema: { ...schema, security: ways }, url };
		},
		transformObject: (document) => linkOperations(markOptionalBodies(jsonSchemaTransformObject(document))),
	});
	await app.register(swaggerUi, {
		routePrefix: "/docs",
		staticCSP: docsPolicy,
		theme: { title: "Lethe", favicon: [] },
		// Without the bar at the top, which is the tool's own.
		uiConfig: { layout: "BaseLayout" },
		transformSpecification: withoutDoubles,
	});
	app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}

/** What stands both at the root and below the version is shown once: to a reader it is the same. */
function withoutDoubles<Document extends { paths?: object }>(document: Document): Document {
	const paths = Object.entries(document.paths ?? {});
	const all = new Set(paths.map(([path]) => path));
	const isDouble = (path: string) => path.startsWith("/v1/") && all.has(path.slice("/v1".length));
	return { ...document, paths: Object.fromEntries(paths.filter(([path]) => !isDouble(path))) };
}

type Known = Map<string, Set<string>>;

function collectMethods(app: Instance): Known {
	const known: Known = new Map();
	app.addHook("onRoute", ({ url, method }: RouteOptions) => {
		const methods = known.get(url) ?? new Set();
		for (const name of [method].flat()) methods.add(name);
		known.set(url, methods);
	});
	return known;
}

const allMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "TRACE"];

/** A known address with another method says 405, not 404. */
function refuseOtherMethods(app: Instance, known: Known): void {
	for (const [url, methods] of [...known]) {
		if (url.startsWith("/docs") || url.includes("*")) continue;
		const others = allMethods.filter((method) => !methods.has(method));
		const allow = [...methods].sort().join(", ");
		app.route({
			method: others as HTTPMethods[],
			url,
			schema: { hide: true },
			exposeHeadRoute: false,
			// Before its body is looked at, which a QUERY must have.
			onRequest: async (_request, reply) => {
				reply.header("allow", allow);
				throw new LetheError("method_not_allowed");
			},
			handler: () => undefined,
		});
	}
}
