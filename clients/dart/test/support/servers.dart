/// The real lamina and the fal emulator as processes.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';

/// A program of the workspace, as `test/run` found it.
String binary(String variable) =>
    Platform.environment[variable] ??
    (throw StateError('$variable is not set: start the tests by test/run.'));

/// A port that was free a moment ago.
Future<int> freePort() async {
  final socket = await ServerSocket.bind(InternetAddress.loopbackIPv4, 0);
  final port = socket.port;
  await socket.close();
  return port;
}

/// Asks [path] until it answers 200.
Future<void> _untilUp(int port, String path, Process process, List<String> log) async {
  final client = HttpClient()..connectionTimeout = const Duration(seconds: 2);
  final clock = Stopwatch()..start();
  var ended = false;
  process.exitCode.then((_) => ended = true).ignore();
  try {
    while (clock.elapsed < const Duration(seconds: 60) && !ended) {
      try {
        final request = await client.get('127.0.0.1', port, path);
        final response = await request.close();
        await response.drain<void>();
        if (response.statusCode == 200) return;
      } on IOException {
        // Not yet.
      }
      await Future<void>.delayed(const Duration(milliseconds: 50));
    }
    throw StateError('The server did not come up:\n${log.join('\n')}');
  } finally {
    client.close(force: true);
  }
}

void _keep(Process process, List<String> log) {
  for (final out in [process.stdout, process.stderr]) {
    out.transform(utf8.decoder).transform(const LineSplitter()).listen((line) {
      if (log.length < 2000) log.add(line);
    });
  }
}

/// The fal emulator.
final class Emulator {
  Emulator._(this._process, this.port);

  final Process _process;
  final int port;

  static Future<Emulator> start() async {
    final port = await freePort();
    final process = await Process.start(binary('FAL_EMULATOR_BIN'), [
      '--port', '$port', '--layers', 'synthetic', '--latency', '300ms', '--queue-time', '100ms', //
    ]);
    final log = <String>[];
    _keep(process, log);
    await _untilUp(port, '/.well-known/jwks.json', process, log);
    return Emulator._(process, port);
  }

  Map<String, String> get environment => {
    'FAL_KEY': 'emulator-key-id:emulator-key-secret',
    'FAL_QUEUE_URL': 'http://127.0.0.1:$port',
    'FAL_REST_URL': 'http://127.0.0.1:$port',
    'FAL_JWKS_URL': 'http://127.0.0.1:$port/.well-known/jwks.json',
    'FAL_PLATFORM_URL': 'http://127.0.0.1:$port/v1',
  };

  Future<void> stop() async {
    _process.kill(ProcessSignal.sigkill);
    await _process.exitCode;
  }
}

/// A lamina on a port and in a folder that it keeps across restarts.
final class Server {
  Server._(this.port, this._folder, this._environment);

  final int port;
  final Directory _folder;
  final Map<String, String> _environment;
  final List<String> log = [];
  late Process _process;

  static Future<Server> start([Map<String, String> environment = const {}]) async {
    final folder = await Directory.systemTemp.createTemp('lamina-dart-');
    final server = Server._(await freePort(), folder, environment);
    await server.up();
    return server;
  }

  Uri get uri => Uri.parse('http://127.0.0.1:$port');

  Future<void> up() async {
    _process = await Process.start(
      binary('LAMINA_BIN'),
      ['serve'],
      workingDirectory: _folder.path,
      includeParentEnvironment: false,
      environment: {
        'PATH': Platform.environment['PATH'] ?? '',
        'PORT': '$port',
        'DATABASE_PATH': '${_folder.path}/lamina.db',
        'STORAGE_URL': 'file:${_folder.path}/blobs',
        ..._environment,
      },
    );
    _keep(_process, log);
    await _untilUp(port, '/readyz', _process, log);
  }

  /// As a crash ends it.
  Future<void> kill() async {
    _process.kill(ProcessSignal.sigkill);
    await _process.exitCode;
  }

  Future<void> stop() async {
    await kill();
    await _folder.delete(recursive: true);
  }
}
