/// `lamina_client_http` against the real server, by a client in the manners of `package:http` 1.5.
library;

import 'dart:async';
import 'dart:io';
import 'dart:typed_data';

import 'package:http/http.dart' as http;
import 'package:http/io_client.dart';
import 'package:lamina_client/lamina_client.dart';
import 'package:lamina_client_http/lamina_client_http.dart';

import 'support/gateway.dart';
import 'support/harness.dart';
import 'support/proxy.dart';
import 'support/real.dart' show falJob, image, imageBytes;
import 'support/servers.dart';

late Emulator emulator;
late Server server;

LaminaClient over(
  Uri uri, {
  http.Client? by,
  Timeouts timeouts = const Timeouts(),
  bool closeClient = true,
}) => LaminaClient(
  uri,
  transport: HttpTransport(by ?? http.Client(), closeClient: closeClient),
  timeouts: timeouts,
  partBytes: 64 * 1024,
  retries: const RetryPolicy(attempts: 5, first: Duration(milliseconds: 50)),
);

/// Runs [body] over a proxy.
Future<void> overLine(Future<void> Function(LaminaClient lamina, Proxy line) body) async {
  final line = await Proxy.to(server.port);
  final lamina = over(line.uri);
  try {
    await body(lamina, line);
  } finally {
    lamina.close();
    await line.close();
  }
}

/// A client that wraps everything, as those of the systems do, and writes addresses into its messages.
final class Wrapping extends http.BaseClient {
  Wrapping(this._inner);
  final http.Client _inner;

  @override
  Future<http.StreamedResponse> send(http.BaseRequest request) async {
    try {
      return await _inner.send(request);
    } on Object catch (error) {
      throw http.ClientException('Failed: $error at ${request.url}', request.url);
    }
  }

  @override
  void close() => _inner.close();
}

void main() {
  test(
    'a split with events, progress and layers goes by a client of package:http',
    () => overLine((lamina, line) async {
      final run = lamina.split(
        ImageInput.file(image('astronaut.png')),
        options: const SplitOptions(engine: Engine.fal, numLayers: 2),
        method: UploadMethod.resumable,
      );
      final events = await run.events.toList();
      final job = await run.done;
      check(events.whereType<SplitUploading>().length > 10, 'the upload has steps');
      for (final layer in job.layers) {
        equal((await lamina.layerBytes(layer)).length, layer.bytes);
        equal(await lamina.layerStream(layer).fold<int>(0, (sum, chunk) => sum + chunk.length), layer.bytes);
      }
      equal((await lamina.jobs().first).id, job.id);
      await lamina.delete(job.id);
    }),
  );

  test('events come as they happen, and not at their end', () async {
    final fal = await HeldFal.to(emulator.port);
    final own = await Server.start({...emulator.environment, ...fal.environment});
    final front = await Gateway.to(own.port);
    final lamina = over(front.uri);
    final created = await lamina.create(falJob());
    final seen = <Job>[];
    final over_ = lamina.watch(created.id).forEach(seen.add);
    await until(() => seen.lastOrNull is ProcessingJob, 'the job is processed');
    fal.open();
    await over_;
    check(seen.last is CompletedJob, '$seen');
    equal(front.asked('/events').length, 1);
    equal(front.asked('wait=').length, 0);
    lamina.close();
    await front.close();
    await own.stop();
    await fal.close();
  });

  test(
    'cuts, lost answers and a server that is away are mended as with the client\'s own transport',
    () => overLine((lamina, line) async {
      line
        ..cutAfter = 50000
        ..cuts = 4;
      final upload = await lamina.upload(
        ImageInput.file(image('astronaut.png')),
        method: UploadMethod.resumable,
      );
      equal(line.cutsMade, 4);
      line.swallowAnswerTo = 'POST /api/jobs';
      final created = await lamina.create(
        JobRequest.upload(upload.id, options: const SplitOptions(engine: Engine.fal)),
      );
      check(created.replayed, 'one job');
      line
        ..down = true
        ..cutAll();
      Timer(const Duration(milliseconds: 700), () => line.down = false);
      check(await lamina.watch(created.id).last is CompletedJob, 'completed');
    }),
  );

  test(
    'a request that is ended leaves its connection, before and within the answer',
    () => overLine((lamina, line) async {
      final created = await lamina.create(falJob(), wait: const Duration(seconds: 30));
      final layer = (created.job! as CompletedJob).layers.first;
      line.bytesPerSecondDown = 20000;
      final reading = lamina.layerStream(layer).listen(null);
      await until(() => line.isOpen, 'it is asked');
      await reading.cancel();
      final trigger = AbortTrigger();
      final bytes = lamina.layerBytes(layer, abort: trigger);
      Timer(const Duration(milliseconds: 200), trigger.abort);
      await throws<AbortedException>(() => bytes);
      final upload = lamina.upload(
        ImageInput.stream(
          1000000,
          (_) => Stream.periodic(const Duration(milliseconds: 50), (_) => Uint8List(100)),
        ),
        method: UploadMethod.direct,
        abort: trigger,
      );
      await throws<AbortedException>(() => upload);
    }),
  );

  test('redirects of links are followed, those of the API are not', () async {
    final seen = <String>[];
    final elsewhere = await HttpServer.bind(InternetAddress.loopbackIPv4, 0);
    elsewhere.listen((request) {
      seen.add('${request.headers.value('authorization')}');
      request.response
        ..write('the layer')
        ..close();
    });
    final front = await Gateway.to(server.port);
    front.answers = (request) {
      request.response
        ..statusCode = 307
        ..headers.set('location', 'http://127.0.0.1:${elsewhere.port}/bucket?sig=SECRET')
        ..close();
      return true;
    };
    final lamina = LaminaClient(
      front.uri,
      transport: HttpTransport(http.Client()),
      token: () => const LaminaToken('a-token'),
      retries: RetryPolicy.none,
    );
    final layer = Layer.fromJson({
      'id': 'layer_0',
      'url': '${front.uri}/files/1?sig=SECRET',
      'width': 1,
      'height': 1,
      'order': 0,
      'bytes': 9,
    });
    equal((await lamina.layerBytes(layer)).length, 9);
    await throws<MalformedAnswerException>(() => lamina.jobPage());
    equal(seen, ['null'], 'the link alone, and without the token');
    lamina.close();
    await front.close();
    await elsewhere.close(force: true);
  });

  test('errors say what happened, and no address; the app\'s own stay the app\'s', () async {
    final port = await freePort();
    for (final by in [http.Client(), Wrapping(http.Client())]) {
      final lamina = LaminaClient(
        Uri.parse('http://127.0.0.1:$port'),
        transport: HttpTransport(by),
        retries: RetryPolicy.none,
      );
      final layer = Layer.fromJson({
        'id': 'layer_0',
        'url': 'http://127.0.0.1:$port/files/1?exp=1&sig=SECRET',
        'width': 1,
        'height': 1,
        'order': 0,
      });
      final error = await throws<ConnectionException>(() => lamina.layerBytes(layer));
      check(error.message.isNotEmpty && !'$error'.contains('SECRET'), '$error');
      lamina.close();
      await throws<AbortedException>(() => lamina.jobPage());
    }
    for (final by in [http.Client(), Wrapping(http.Client())]) {
      final lamina = over(server.uri, by: by);
      Stream<List<int>> broken(int start) async* {
        yield Uint8List(1000);
        throw StateError('the picker lost the photo');
      }

      await throws<SourceException>(
        () => lamina.upload(ImageInput.stream(200000, broken), method: UploadMethod.direct),
      );
      lamina.close();
    }
  });

  test('a client that an app shares stays open', () async {
    final shared = IOClient();
    over(server.uri, by: shared, closeClient: false).close();
    final lamina = over(server.uri, by: shared);
    await lamina.jobPage();
    lamina.close();
    final closed = over(server.uri, by: shared);
    await throws<ConnectionException>(closed.jobPage);
    closed.close();
  });

  test('a picture is sent in one piece of memory or many', () async {
    final lamina = over(server.uri);
    final bytes = imageBytes('design_card.png');
    for (final source in [
      ImageInput.bytes(bytes),
      ImageInput.file(image('design_card.png')),
      ImageInput.once(
        Stream.fromIterable([
          for (var at = 0; at < bytes.length; at += 999) bytes.skip(at).take(999).toList(),
        ]),
      ),
    ]) {
      equal((await lamina.upload(source)).image!.contentType, 'image/png');
    }
    lamina.close();
  });

  runTests(
    before: () async {
      emulator = await Emulator.start();
      server = await Server.start(emulator.environment);
    },
    after: () async {
      await server.stop();
      await emulator.stop();
    },
  );
}
