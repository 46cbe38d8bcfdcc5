// A link to an SMSC that is kept up: connected over TLS, bound, and made anew with growing pauses whenever it ends.

import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectSecure } from "node:tls";
import type { CarrierCode } from "../codes.ts";
import { createSession, type Session, type SessionOptions } from "./session.ts";
import type { SmscAddress } from "./settings.ts";
import { readBindRefusal, status } from "./statuses.ts";

// Some SMSCs answer a bind as well and close then: a link that has not stood for so long has failed.
const standsMs = 5_000;

export type BindCommand = "bind_transceiver" | "bind_transmitter" | "bind_receiver";

export type LinkOptions = Omit<SessionOptions, "socket" | "onEnd"> & {
	address: SmscAddress;
	command: BindCommand;
	/** Fields of the bind. */
	bind: Record<string, string | number>;
	/** The first pause; it doubles with each failure in a row, between which no link stood for some seconds. */
	backoffFirstMs: number;
	backoffMaxMs: number;
	/** In [0, 1). */
	random: () => number;
	/** Bound, refused or ended. */
	onChange: () => void;
};

/** `connecting` may become bound at any moment; `down` waits for its next try, and says why. */
export type LinkState =
	| { is: "connecting" }
	| { is: "bound"; session: Session }
	| { is: "down"; code: CarrierCode }
	| { is: "closed" };

export type Link = ReturnType<typeof createLink>;

/** Begins at once. */
export function createLink(options: LinkOptions) {
	let state: LinkState = { is: "connecting" };
	let failures = 0;
	let failedBy: CarrierCode | undefined;
	let timer: NodeJS.Timeout | undefined;
	let socket: Socket | undefined;

	function become(next: LinkState): void {
		if (state.is === "closed") return;
		state = next;
		options.onChange();
	}

	async function open(): Promise<void> {
		become({ is: "connecting" });
		const connected = await connect(options.address, options.responseMs, (begun) => {
			socket = begun;
		});
		if (!connected) return fail("unreachable");
		if (state.is === "closed") return void connected.destroy();
		const session: Session = createSession({ ...options, socket: connected, onEnd: () => fail("unreachable") });
		const answer = await session.request(options.command, { fields: { ...options.bind }, tlvs: [] });
		if (answer.kind === "answered" && answer.pdu.command_status === status.ok) {
			timer = setTimeout(() => {
				failures = 0;
			}, standsMs).unref();
			return become({ is: "bound", session });
		}
		fail(answer.kind === "answered" ? readBindRefusal(answer.pdu.command_status) : "unreachable");
		session.end();
	}

	// Once a try; the socket's own end after a refused bind is no second failure.
	function fail(code: CarrierCode): void {
		if (state.is === "closed" || state.is === "down") return;
		const ceiling = Math.min(options.backoffMaxMs, options.backoffFirstMs * 2 ** Math.min(failures, 20));
		failures++;
		failedBy = code;
		clearTimeout(timer);
		timer = setTimeout(() => void open(), ceiling / 2 + (options.random() * ceiling) / 2);
		become({ is: "down", code });
	}

	void open();

	return {
		state: () => state,
		/** True while it stands; why it does not, once a second try in a row has failed too; nothing in between. */
		told(): true | CarrierCode | undefined {
			if (failures > 1) return failedBy;
			return state.is === "bound" || undefined;
		},
		/** Lets what is under way end, unbinds, and makes no new link. */
		async close(): Promise<void> {
			const { is } = state;
			const session = state.is === "bound" ? state.session : undefined;
			become({ is: "closed" });
			clearTimeout(timer);
			if (is === "connecting") socket?.destroy();
			await session?.close();
		},
	};
}

/** A connected socket, its peer's certificate verified; undefined when there is none within the time. */
function connect(
	{ host, port, isSecure, ca }: SmscAddress,
	timeoutMs: number,
	onBegun: (socket: Socket) => void,
): Promise<Socket | undefined> {
	return new Promise((resolve) => {
		// RFC 6066, 3: an address is no server's name; the certificate is held to the host then.
		const servername = isIP(host) ? "" : host;
		const socket = isSecure
			? connectSecure({ host, port, ca, servername, minVersion: "TLSv1.2", rejectUnauthorized: true })
			: connectPlain({ host, port });
		onBegun(socket);
		const settle = (connected: Socket | undefined) => {
			clearTimeout(timer);
			socket.off("error", onError);
			socket.off("close", onError);
			if (!connected) socket.on("error", () => undefined).destroy();
			resolve(connected);
		};
		const onError = () => settle(undefined);
		const timer = setTimeout(onError, timeoutMs);
		socket.once("error", onError);
		socket.once("close", onError);
		socket.once(isSecure ? "secureConnect" : "connect", () => settle(socket));
	});
}
