/// What the tests against the real server share: clients that are not patient, pictures, lines that break.
library;

import 'dart:async';
import 'dart:io';
import 'dart:typed_data';

import 'package:lamina_client/lamina_client.dart';

import 'proxy.dart';
import 'servers.dart';

final images = Directory.fromUri(Platform.script.resolve('../../../testdata/images'));
String image(String name) => '${images.path}/$name';
Uint8List imageBytes(String name) => File(image(name)).readAsBytesSync();

/// A client that is not patient, so that a test of giving up does not take long.
LaminaClient client(
  Uri uri, {
  TokenProvider? token,
  int partBytes = 64 * 1024,
  int? maxEventStreams,
  Timeouts timeouts = const Timeouts(),
  Transport? transport,
}) => LaminaClient(
  uri,
  token: token,
  partBytes: partBytes,
  resumableAbove: 100 * 1024,
  maxEventStreams: maxEventStreams,
  timeouts: timeouts,
  transport: transport,
  retries: const RetryPolicy(
    attempts: 6,
    first: Duration(milliseconds: 50),
    longest: Duration(milliseconds: 500),
  ),
);

/// Runs [body] with a client of [uri].
Future<void> using(
  Uri uri,
  Future<void> Function(LaminaClient lamina) body, {
  Timeouts timeouts = const Timeouts(),
  int? maxEventStreams,
  int partBytes = 64 * 1024,
  TokenProvider? token,
}) async {
  final lamina = client(
    uri,
    timeouts: timeouts,
    maxEventStreams: maxEventStreams,
    partBytes: partBytes,
    token: token,
  );
  try {
    await body(lamina);
  } finally {
    lamina.close();
  }
}

/// Runs [body] with a client whose line to [port] is a proxy of its own.
Future<void> overBadLine(
  int port,
  Future<void> Function(LaminaClient lamina, Proxy line) body, {
  Timeouts timeouts = const Timeouts(),
  int partBytes = 64 * 1024,
}) async {
  final line = await Proxy.to(port);
  try {
    await using(line.uri, (lamina) => body(lamina, line), timeouts: timeouts, partBytes: partBytes);
  } finally {
    await line.close();
  }
}

/// Runs [body] with a server of its own.
Future<void> withServer(Map<String, String> environment, Future<void> Function(Server server) body) async {
  final server = await Server.start(environment);
  try {
    await body(server);
  } finally {
    await server.stop();
  }
}

Future<int> jobCount(LaminaClient lamina) => lamina.jobs(pageSize: 100).length;

/// A small job at fal.
JobRequest falJob({String? prompt, Uri? webhookUrl}) => JobRequest.bytes(
  imageBytes('design_card.png'),
  options: SplitOptions(engine: Engine.fal, prompt: prompt, webhookUrl: webhookUrl),
);

/// A small job for the embedded engine.
JobRequest localJob() =>
    JobRequest.bytes(imageBytes('design_poster.png'), options: const SplitOptions(engine: Engine.local));
