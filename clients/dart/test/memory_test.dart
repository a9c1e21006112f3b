/// Large files pass through, and are not held: at most [allowed] above idle.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';
import 'dart:typed_data';

import 'package:lamina_client/lamina_client.dart';

import 'support/harness.dart';
import 'support/real.dart' show images;
import 'support/servers.dart';

const allowed = 20 * 1024 * 1024;
const size = 50 * 1024 * 1024;

late Directory folder;

/// What moving the large file by [way] takes above idle. The VM's garbage is counted with what is held, and how much of it there is
/// varies from run to run; what is held is there in each. So the least of a few runs counts, and one that is low enough is enough.
Future<int> needed(String way, Uri server, {int runs = 4, String? small, String? large}) async {
  var least = 1 << 40;
  for (var run = 0; run < runs && least >= allowed; run++) {
    final result = await Process.run(Platform.resolvedExecutable, [
      '${folder.path}/probe.dill',
      way,
      '$server',
      small ?? '${folder.path}/small',
      large ?? '${folder.path}/large',
    ]);
    equal(result.exitCode, 0, '${result.stderr}');
    final bytes = int.parse('${result.stdout}'.trim());
    stdout.writeln('        $way: ${bytes ~/ 1024} KiB above idle');
    if (bytes < least) least = bytes;
  }
  return least;
}

void main() {
  late Server server;
  late Emulator emulator;
  late CompletedJob small;
  late CompletedJob large;
  late Process exports;
  late StreamIterator<String> lines;
  late Uri exporting;

  for (final method in [UploadMethod.resumable, UploadMethod.direct, UploadMethod.ticket]) {
    test('a file of 50 MB is uploaded without being held: ${method.name}', () async {
      check(await needed(method.name, server.uri) < allowed, 'too much memory');
    });
  }

  test('the measurement sees a file that is held', () async {
    check(await needed('held', server.uri, runs: 1) > size * 0.8, 'a held file was not seen');
  });

  test('an export of 50 MB is written to a file without being held', () async {
    check(await needed('export', exporting) < allowed, 'too much memory');
    equal(File('${folder.path}/large.out').lengthSync(), size);
  });

  // Once before they are measured: what the VM keeps for ten of anything is no part of it.
  test('ten layers of the real server are written to files without being held', () async {
    check(await needed('layers', server.uri, small: large.id, large: large.id) < allowed, 'too much memory');
  });

  test('the real server\'s export of ten layers is written to a file without being held', () async {
    final lamina = LaminaClient(server.uri);
    try {
      await lamina.export(large.id, 'psd').drain<void>();
    } on NotSupportedException {
      stdout.writeln('        LEFT OUT: this server has no exports yet; the one before has a scripted one.');
      return;
    } finally {
      lamina.close();
    }
    check(await needed('psd', server.uri, small: small.id, large: large.id) < allowed, 'too much memory');
  });

  test('a server has to wait while nobody reads an export', () async {
    final lamina = LaminaClient(exporting);
    late final StreamSubscription<List<int>> reading;
    final first = Completer<void>();
    reading = lamina.export('large', 'psd').listen((_) {
      reading.pause();
      if (!first.isCompleted) first.complete();
    });
    await first.future;
    await Future<void>.delayed(const Duration(seconds: 2));
    await reading.cancel();
    lamina.close();
    var taken = size;
    do {
      await lines.moveNext();
      taken = int.parse(lines.current);
    } while (taken == size || taken < 3 * 1024 * 1024);
    stdout.writeln('        ${taken ~/ 1024} KiB left the server, most of it into the buffers of the system');
    check(taken < size * 0.6, 'the client took $taken bytes that nobody read');
  });

  runTests(
    before: () async {
      folder = await Directory.systemTemp.createTemp('lamina-memory-');
      File('${folder.path}/large').writeAsBytesSync(Uint8List(size));
      File('${folder.path}/small').writeAsBytesSync(Uint8List(2 * 1024 * 1024));
      // Compiled once for all runs.
      final compiled = await Process.run(Platform.resolvedExecutable, [
        '--packages=${Platform.script.resolve('../.dart_tool/package_config.json').toFilePath()}',
        '--snapshot=${folder.path}/probe.dill',
        '--snapshot-kind=kernel',
        Platform.script.resolve('support/memory_probe.dart').toFilePath(),
      ]);
      equal(compiled.exitCode, 0, '${compiled.stderr}');
      emulator = await Emulator.start();
      server = await Server.start({
        ...emulator.environment,
        'ENGINE': 'local',
        'MAX_IMAGE_BYTES': '${64 * 1024 * 1024}',
      });
      final lamina = LaminaClient(server.uri);
      Future<CompletedJob> stack(int layers) => lamina
          .split(
            ImageInput.file('${images.path}/astronaut.png'),
            options: SplitOptions(engine: Engine.fal, numLayers: layers),
          )
          .done;
      small = await stack(1);
      large = await stack(10);
      equal(large.layers.length, 10);
      final bytes = large.layers.fold(0, (sum, layer) => sum + layer.bytes!);
      stdout.writeln(
        '        ten layers of ${large.layers.first.width}×${large.layers.first.height}: ${bytes ~/ 1024} KiB',
      );
      lamina.close();
      exports = await Process.start(Platform.resolvedExecutable, [
        Platform.script.resolve('support/export_server.dart').toFilePath(),
      ]);
      lines = StreamIterator(exports.stdout.transform(utf8.decoder).transform(const LineSplitter()));
      await lines.moveNext();
      exporting = Uri.parse('http://127.0.0.1:${lines.current}');
    },
    after: () async {
      exports.kill(ProcessSignal.sigkill);
      await exports.exitCode;
      await server.stop();
      await emulator.stop();
      await folder.delete(recursive: true);
    },
  );
}
