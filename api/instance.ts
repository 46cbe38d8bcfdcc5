// The bare HTTP server: its bounds, its failures, its request ids; nothing that it serves.

import { isUtf8 } from "node:buffer";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import Fastify, { type FastifyError, type FastifyInstance } from "fastify";
import { serializerCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { type ErrorCode, type FieldError, LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { ApiDeps } from "./deps.ts";
import { createProblem, problemType } from "./plugins/problem.ts";
import { type Fault, validatorCompiler } from "./validator.ts";

export type Instance = ReturnType<typeof createInstance>;

const pathCharactersMax = 128;
const keepAliveMs = 65_000;
const noRoute: FieldError = { pointer: "", detail: "There is no such route: /openapi.json lists those that are." };
const encoded: FieldError = { pointer: "", detail: "Send it as it is, without Content-Encoding." };
const socketErrors: Record<string, ErrorCode> = {
	ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
	HPE_HEADER_OVERFLOW: "headers_too_large",
};

/** A Fastify instance with no routes. It has no logger of its own: Fastify's lines quote URLs and raw packets. */
export function createInstance(deps: Pick<ApiDeps, "log" | "ids" | "publicUrl" | "trustedProxies">) {
	const problem = createProblem(deps);

	// Broken HTTP never becomes a request; what arrived is not logged, only what Node calls it.
	function refuseSocket(error: { code?: string }, socket: Socket): void {
		deps.log.debug({ code: error.code }, "client error");
		if (!socket.writable || socket.bytesWritten > 0) return void socket.destroy();
		const document = problem.document(
			new LetheError(socketErrors[error.code ?? ""] ?? "invalid_request"),
			deps.ids.random("request"),
		);
		const { status } = document;
		const body = JSON.stringify(document);
		const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: ${problemType}\r\nconnection: close`;
		socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
	}

	const app = Fastify({
		logger: false,
		trustProxy: deps.trustedProxies.length > 0 ? deps.trustedProxies : false,
		bodyLimit: limits.bodyBytesMax,
		http: {
			maxHeaderSize: limits.headerBytesMax,
			headersTimeout: limits.headersMsMax,
			connectionsCheckingInterval: limits.slowCallersSeenMs,
		},
		requestTimeout: limits.requestMsMax,
		connectionTimeout: limits.socketIdleMsMax,
		keepAliveTimeout: keepAliveMs,
		forceCloseConnections: "idle",
		return503OnClosing: false,
		requestIdHeader: false,
		genReqId: () => deps.ids.random("request"),
		rewriteUrl: ({ url = "/" }) => toOriginForm(url),
		routerOptions: { maxParamLength: pathCharactersMax },
		clientErrorHandler: refuseSocket,
		frameworkErrors: (error: FastifyError, request, reply) => void problem.send(error, request, reply),
	}).withTypeProvider<ZodTypeProvider>();
	takeJsonOrNothing(app);
	refuseUnknownQueries(app);
	app.setValidatorCompiler(validatorCompiler);
	app.setSerializerCompiler(serializerCompiler);
	app.setErrorHandler((error, request, reply) => problem.send(error, request, reply));
	app.setNotFoundHandler((request, reply) =>
		problem.send(new LetheError("not_found", { errors: [noRoute] }), request, reply),
	);
	app.addHook("onRequest", async (request, reply) => {
		reply.header("x-request-id", request.id).header("cache-control", "no-store");
	});
	// A kept-alive connection that answers while the server closes would hold it open until its caller lets go.
	let closing = false;
	app.addHook("preClose", async () => {
		closing = true;
	});
	app.addHook("onSend", async (_request, reply) => {
		if (closing) reply.header("connection", "close");
	});
	app.addHook("onResponse", async (request, reply) => {
		if (!deps.log.isLevelEnabled("debug")) return;
		const { method, routeOptions } = request;
		const route = routeOptions.url ?? "none";
		deps.log.debug(
			{ requestId: request.id, method, route, status: reply.statusCode, ms: reply.elapsedTime },
			"answered",
		);
	});
	return app;
}

/** RFC 9112, 3.2.2: what proxies are asked by is taken too, as its path; whose address it is the public URL says. */
function toOriginForm(target: string): string {
	const [, path] = /^https?:\/\/[^/?#]*(.*)$/is.exec(target) ?? [];
	if (path === undefined) return target;
	return path.startsWith("/") ? path : `/${path}`;
}

/** What a route does not take can't change what it does: who asks for it is told so, and not served as if it were. */
function refuseUnknownQueries(app: FastifyInstance): void {
	app.addHook("onRoute", (route) => {
		route.schema = { querystring: z.strictObject({}), ...route.schema };
	});
}

/** A body is JSON or absent: many clients name its type even where they send none, such as with a cancel. */
function takeJsonOrNothing(app: FastifyInstance): void {
	app.removeContentTypeParser("text/plain");
	const parse = app.getDefaultJsonParser("error", "error");
	app.addContentTypeParser<Buffer>("application/json", { parseAs: "buffer" }, (request, body, done) => {
		if (body.length === 0) return done(null, null);
		// What is compressed would be told to be no text, though its sender has sent one (RFC 9110, 15.5.16).
		if (isEncoded(request.headers["content-encoding"])) {
			return done(new LetheError("unsupported_media_type", { errors: [encoded] }));
		}
		// Read as text, bytes that are none would be others than those that were sent.
		if (!isUtf8(body)) return done(broken({ path: "/", why: "The body is not UTF-8." }));
		const text = body.toString("utf8");
		void parse(request, text, (error, value) => {
			const found = error || !mayBeBroken.test(text) ? undefined : findBroken(value);
			done(found ? broken(found) : error, value);
		});
	});
}

function isEncoded(coding: string | undefined): boolean {
	return coding !== undefined && !/^(?:identity)?$/i.test(coding.trim());
}

type Broken = { path: string; why: string };

function broken({ path, why }: Broken): Error {
	const fault: Fault = { keyword: "invalid_format", instancePath: path, message: why, params: {} };
	return Object.assign(new Error(why), { statusCode: 400, validation: [fault], validationContext: "body" });
}

// By an escape only: as bytes, half a character is no UTF-8, and a control character no JSON.
const mayBeBroken = /\\u(?:[dD][89a-fA-F]|0000)/;

function whyBroken(text: string): string | undefined {
	if (!text.isWellFormed()) return "Not well-formed Unicode: half of a surrogate pair.";
	return text.includes("\0") ? "It holds a NUL character." : undefined;
}

/** The first text, or object with a name, that could be neither stored nor hashed nor sent as it is. */
function findBroken(value: unknown): Broken | undefined {
	const left: [path: string, value: unknown][] = [["/", value]];
	for (const [path, one] of left) {
		const texts = typeof one === "string" ? [one] : Object.keys(one ?? {});
		const why = texts.map(whyBroken).find((found) => found !== undefined);
		if (why) return { path, why };
		if (typeof one !== "object" || one === null) continue;
		for (const [name, inner] of Object.entries(one)) left.push([path === "/" ? `/${name}` : `${path}/${name}`, inner]);
	}
	return undefined;
}
