// The SMSC that every peer sends to, on jSMPP's server sessions: answers a submit_sm at once, brings its receipt 50 ms later,
// keeps that and tries again where the session is gone, and counts what came by its text. Told of over HTTP on loopback.
// Run as `java -cp JARS Smsc.java`; prints one line `smppPort httpPort` once it listens.

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.jsmpp.bean.*;
import org.jsmpp.extra.ProcessRequestException;
import org.jsmpp.session.*;
import org.jsmpp.session.connection.Connection;
import org.jsmpp.session.connection.ServerConnection;
import org.jsmpp.session.connection.ServerConnectionFactory;
import org.jsmpp.session.connection.socket.SocketConnection;
import org.jsmpp.util.MessageId;

public class Smsc implements ServerMessageReceiverListener {
	private static final int RECEIPT_AFTER_MS = 50, AGAIN_AFTER_MS = 500, TRIES_MAX = 240, INVALID_COMMAND = 3;

	/** How often a text came, and whether its receipt was taken; epoch milliseconds of the last of each. */
	private static final class Seen {
		int times;
		boolean acknowledged;
		long cameAt, acknowledgedAt;
	}

	private final Map<String, Seen> seen = new ConcurrentHashMap<>();
	private final Set<SMPPServerSession> sessions = ConcurrentHashMap.newKeySet();
	private final ScheduledExecutorService receipts = Executors.newScheduledThreadPool(64);
	private final AtomicLong ids = new AtomicLong(1_000_000);

	public static void main(String[] given) throws Exception {
		Smsc smsc = new Smsc();
		ServerSocket socket = new ServerSocket(0, 512, InetAddress.getLoopbackAddress());
		HttpServer http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
		http.createContext("/texts", exchange -> {
			byte[] body = smsc.tell(exchange.getRequestURI().getQuery()).getBytes(StandardCharsets.UTF_8);
			exchange.sendResponseHeaders(200, body.length);
			exchange.getResponseBody().write(body);
			exchange.close();
		});
		http.start();
		SMPPServerSessionListener listener = new SMPPServerSessionListener(0, new Listening(socket));
		listener.setMessageReceiverListener(smsc);
		listener.setPduProcessorDegree(8);
		System.out.println(socket.getLocalPort() + " " + http.getAddress().getPort());
		while (true) {
			SMPPServerSession session = listener.accept();
			new Thread(() -> smsc.bind(session)).start();
		}
	}

	private void bind(SMPPServerSession session) {
		// Its default of 100 has a window of as many throttled, whose sender then waits a minute; the listener's own goes nowhere.
		session.setQueueCapacity(10_000);
		try {
			session.waitForBind(5_000).accept("smsc");
			sessions.add(session);
		} catch (Exception error) {
			session.close();
		}
	}

	/** A line a text that begins so: the text, how often it came and when last, whether its receipt was taken and when. */
	private String tell(String prefix) {
		return seen.entrySet().stream().filter(one -> one.getKey().startsWith(prefix)).map(one -> {
			Seen what = one.getValue();
			synchronized (what) {
				return one.getKey() + " " + what.times + " " + what.cameAt + " " + what.acknowledged + " " + what.acknowledgedAt;
			}
		}).collect(Collectors.joining("\n"));
	}

	@Override
	public MessageId onAcceptSubmitSm(SubmitSm submit, SMPPServerSession session) throws ProcessRequestException {
		String text = new String(submit.getShortMessage(), StandardCharsets.ISO_8859_1);
		Seen what = seen.computeIfAbsent(text, ignored -> new Seen());
		synchronized (what) {
			what.times++;
			what.cameAt = System.currentTimeMillis();
		}
		String id = Long.toString(ids.incrementAndGet());
		receipts.schedule(() -> bring(submit, session, id, what, 1), RECEIPT_AFTER_MS, TimeUnit.MILLISECONDS);
		try {
			return new MessageId(id);
		} catch (org.jsmpp.PDUStringException error) {
			throw new ProcessRequestException("no id", INVALID_COMMAND);
		}
	}

	private void bring(SubmitSm submit, SMPPServerSession session, String id, Seen what, int tries) {
		SMPPServerSession open = session.getSessionState().isReceivable() ? session : sessions.stream()
				.filter(other -> other.getSessionState().isReceivable()).findAny().orElse(session);
		String receipt = "id:" + id + " sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:";
		try {
			open.deliverShortMessage("", TypeOfNumber.INTERNATIONAL, NumberingPlanIndicator.ISDN, submit.getDestAddress(),
					TypeOfNumber.INTERNATIONAL, NumberingPlanIndicator.ISDN, submit.getSourceAddr(),
					new ESMClass(MessageMode.DEFAULT, MessageType.SMSC_DEL_RECEIPT, GSMSpecificFeature.DEFAULT), (byte) 0, (byte) 0,
					new RegisteredDelivery(0), DataCodings.ZERO, receipt.getBytes(StandardCharsets.US_ASCII));
			synchronized (what) {
				what.acknowledged = true;
				what.acknowledgedAt = System.currentTimeMillis();
			}
		} catch (Exception error) {
			sessions.removeIf(other -> !other.getSessionState().isBound());
			if (tries < TRIES_MAX) {
				receipts.schedule(() -> bring(submit, session, id, what, tries + 1), AGAIN_AFTER_MS, TimeUnit.MILLISECONDS);
			}
		}
	}

	/** Connections whose answers are not held back to be sent together. */
	private record Listening(ServerSocket socket) implements ServerConnectionFactory, ServerConnection {
		public ServerConnection listen(int port) { return this; }
		public ServerConnection listen(int port, int timeout) { return this; }
		public ServerConnection listen(int port, int timeout, int backlog) { return this; }
		public void setSoTimeout(int timeout) throws IOException { socket.setSoTimeout(timeout); }
		public int getSoTimeout() throws IOException { return socket.getSoTimeout(); }
		public void close() throws IOException { socket.close(); }
		public Connection accept() throws IOException {
			Socket accepted = socket.accept();
			accepted.setTcpNoDelay(true);
			return new SocketConnection(accepted);
		}
	}

	@Override
	public SubmitMultiResult onAcceptSubmitMulti(SubmitMulti submit, SMPPServerSession session) throws ProcessRequestException {
		throw new ProcessRequestException("not offered", INVALID_COMMAND);
	}

	@Override
	public QuerySmResult onAcceptQuerySm(QuerySm query, SMPPServerSession session) throws ProcessRequestException {
		throw new ProcessRequestException("not offered", INVALID_COMMAND);
	}

	@Override
	public void onAcceptReplaceSm(ReplaceSm replace, SMPPServerSession session) throws ProcessRequestException {
		throw new ProcessRequestException("not offered", INVALID_COMMAND);
	}

	@Override
	public void onAcceptCancelSm(CancelSm cancel, SMPPServerSession session) throws ProcessRequestException {
		throw new ProcessRequestException("not offered", INVALID_COMMAND);
	}

	@Override
	public DataSmResult onAcceptDataSm(DataSm data, Session source) throws ProcessRequestException {
		throw new ProcessRequestException("not offered", INVALID_COMMAND);
	}
}
