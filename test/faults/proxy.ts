// A TCP proxy on loopback whose line can be cut, hung, slowed and reset.

import { type AddressInfo, connect, createServer, type Socket } from "node:net";

type Line = "whole" | "cut" | "hung" | "slow";

const slowMs = 150;

export type LineProxy = Awaited<ReturnType<typeof startProxy>>;

/** Passes on to a port of this machine, which may change its process but not its number. */
export async function startProxy(port: number) {
	const state: { line: Line } = { line: "whole" };
	const sockets = new Set<Socket>();
	const stranded = new WeakSet<Socket>();

	function pipe(from: Socket, to: Socket): void {
		let waiting = 0;
		from.on("data", (piece) => {
			const pass = () => void (to.writable && to.write(piece));
			// What comes while it hangs is lost, as the connection then is.
			if (state.line === "hung" || state.line === "cut" || stranded.has(from)) return;
			// Behind what still waits everything does, or the pieces would change places.
			if (state.line === "whole" && waiting === 0) return pass();
			waiting++;
			setTimeout(() => {
				waiting--;
				pass();
			}, slowMs);
		});
		from.on("error", () => undefined);
		from.on("close", () => {
			sockets.delete(from);
			to.destroy();
		});
	}

	const server = createServer((near) => {
		near.on("error", () => undefined);
		if (state.line === "cut") return void near.destroy();
		const far = connect({ port, host: "127.0.0.1", noDelay: true });
		near.setNoDelay(true);
		for (const socket of [near, far]) sockets.add(socket);
		pipe(near, far);
		pipe(far, near);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const end = (how: "destroy" | "resetAndDestroy") => {
		for (const socket of sockets) socket[how]();
	};

	return {
		port: (server.address() as AddressInfo).port,
		/** Has the line be like this from now on. What was on a line that hung does not go on where it was. */
		set(line: Line): void {
			const hung = state.line === "hung";
			state.line = line;
			if (line === "cut" || hung) end("destroy");
		},
		reset: () => end("resetAndDestroy"),
		/** Has what is connected now hear nothing more, nor of an end, as when a host or what stands between is gone. */
		strand(): void {
			for (const socket of sockets) stranded.add(socket);
		},
		async close(): Promise<void> {
			end("destroy");
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
