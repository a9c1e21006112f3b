/// What a server refuses, and what comes in place of its answers.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';
import 'dart:math';
import 'dart:typed_data';

import 'package:lamina_client/lamina_client.dart';

import 'support/gateway.dart';
import 'support/harness.dart';
import 'support/real.dart';
import 'support/servers.dart';

late Emulator emulator;
late Server server;

/// Runs [body] with a gateway in front of the server, and a client that tries twice.
Future<void> through(
  Future<void> Function(LaminaClient lamina, Gateway front) body, {
  Timeouts timeouts = const Timeouts(),
  RetryPolicy retries = const RetryPolicy(attempts: 2, first: Duration(milliseconds: 20)),
}) async {
  final front = await Gateway.to(server.port);
  final lamina = LaminaClient(front.uri, timeouts: timeouts, retries: retries);
  try {
    await body(lamina, front);
  } finally {
    lamina.close();
    await front.close();
  }
}

void main() {
  test(
    'answers that were spoilt on their way are told as that, and good ones later are taken',
    () => through((lamina, front) async {
      final created = await lamina.create(falJob());
      final job = await lamina.watch(created.id).last as CompletedJob;
      final upload = await lamina.upload(ImageInput.file(image('design_card.png')));
      final calls = <String, Future<Object?> Function()>{
        'job': () => lamina.job(created.id),
        'layers': () => lamina.layers(created.id),
        'jobs': () => lamina.jobPage(),
        'create': () => lamina.create(falJob()),
        'uploadStatus': () => lamina.uploadStatus(upload.id),
        'ticket': () => lamina.createTicket(),
        'webhooks': () => lamina.webhooks.settings(),
        'deliveries': () => lamina.webhooks.deliveries(),
        'upload': () => lamina.upload(ImageInput.file(image('design_card.png'))),
      };
      final spoils = <String, List<int> Function(List<int> body)>{
        'cut': (body) => body.sublist(0, body.length ~/ 2),
        'empty': (body) => const [],
        'a page': (body) => utf8.encode('<!doctype html><title>Wi-Fi</title>'),
        'a list': (body) => utf8.encode('[1, 2]'),
        'another object': (body) => utf8.encode('{"ok": true}'),
        'a number': (body) => utf8.encode('7'),
        'broken characters': (body) => [...body.sublist(0, 12), 0xFF, 0xFE, ...body.sublist(12)],
        'zeros': (body) => Uint8List(body.length),
      };
      front.collects = (_) => true;
      for (final MapEntry(key: spoiling, value: spoil) in spoils.entries) {
        front.changes = (request, answer, body) => spoil(body);
        for (final MapEntry(key: call, value: make) in calls.entries) {
          try {
            await make();
          } on MalformedAnswerException catch (error) {
            check(error.canRetry && error.message.length > 10, '$call, $spoiling: $error');
            continue;
          }
          throw CheckFailed('$call took $spoiling for an answer');
        }
      }
      front.changes = (request, answer, body) => body.sublist(0, body.length - 1);
      await throws<MalformedAnswerException>(() => lamina.layerBytes(job.layers.first));
      front.changes = (request, answer, body) => [...body]..[body.length ~/ 2] ^= 1;
      await throws<MalformedAnswerException>(() => lamina.layerBytes(job.layers.first));
      front.changes = null;
      for (final make in calls.values) {
        await make();
      }
    }),
  );

  test(
    'answers changed at random are read or refused, and nothing else is thrown',
    () => through(retries: RetryPolicy.none, (lamina, front) async {
      final created = await lamina.create(falJob());
      await lamina.watch(created.id).drain<void>();
      final random = Random(17);
      front
        ..collects = ((_) => true)
        ..changes = (request, answer, body) {
          final spoilt = [...body];
          for (var i = 0; i < 1 + random.nextInt(3) && spoilt.isNotEmpty; i++) {
            spoilt[random.nextInt(spoilt.length)] = random.nextInt(256);
          }
          return spoilt;
        };
      var refused = 0;
      for (var i = 0; i < 150; i++) {
        try {
          await (i.isEven ? lamina.job(created.id) : lamina.jobPage());
        } on LaminaException {
          refused++;
        }
      }
      check(refused > 20, 'refused $refused of 150');
    }),
  );

  test('answers that are not HTTP, or break off, are told as the line\'s', () async {
    final answers = <String, List<int>>{
      'nothing': const [],
      'another protocol': utf8.encode('SSH-2.0-OpenSSH_9.2\r\n'),
      'half a head': utf8.encode('HTTP/1.1 200 OK\r\nContent-Ty'),
      'a status of its own': utf8.encode('HTTP/1.1 42 Maybe\r\ncontent-length: 2\r\n\r\n{}'),
      'less than it says': utf8.encode('HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"job_id":'),
      'a broken chunk': utf8.encode('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n'),
      'a length that is none': utf8.encode('HTTP/1.1 200 OK\r\ncontent-length: much\r\n\r\n{}'),
      'gzip that is none': utf8.encode(
        'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\nconnection: close\r\n\r\n0123456789',
      ),
      'half a gzip': [
        ...utf8.encode('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n'),
        ...gzip.encode(utf8.encode('{"job_id": "j", "status": "pending"}')).take(25),
      ],
      'a head without end': utf8.encode('HTTP/1.1 200 OK\r\nx: ${'y' * 300000}'),
    };
    for (final MapEntry(key: name, value: bytes) in answers.entries) {
      final socket = await ServerSocket.bind(InternetAddress.loopbackIPv4, 0);
      socket.listen((client) async {
        client.done.ignore();
        client.listen((_) async {
          client.add(bytes);
          await client.close();
        }, onError: (Object _) {});
      });
      final lamina = LaminaClient(
        Uri.parse('http://127.0.0.1:${socket.port}'),
        retries: const RetryPolicy(attempts: 2, first: Duration(milliseconds: 10)),
        timeouts: const Timeouts(answer: Duration(seconds: 5), idle: Duration(seconds: 5)),
      );
      try {
        await lamina.job('j');
        throw CheckFailed('$name was taken for an answer');
      } on ConnectionException catch (error) {
        check(error.canRetry, name);
      } on MalformedAnswerException catch (error) {
        check(error.canRetry, name);
      } on LaminaException catch (error) {
        throw CheckFailed('$name is told as $error');
      } finally {
        lamina.close();
        await socket.close();
      }
    }
  });

  test('a TLS handshake that breaks is told as that', () async {
    final socket = await ServerSocket.bind(InternetAddress.loopbackIPv4, 0);
    socket.listen((client) {
      client.done.ignore();
      client.listen((_) => client.destroy(), onError: (Object _) {});
    });
    final lamina = LaminaClient(Uri.parse('https://127.0.0.1:${socket.port}'), retries: RetryPolicy.none);
    final error = await throws<ConnectionException>(() => lamina.jobPage());
    check(error.message.contains('TLS') && error.neverSent, '$error');
    lamina.close();
    await socket.close();
  });

  test('a server that never answers is given up, by each call, and a watch by its patience', () async {
    final silent = await ServerSocket.bind(InternetAddress.loopbackIPv4, 0);
    silent.listen((socket) {
      socket.done.ignore();
      socket.listen((_) {}, onError: (Object _) {});
    });
    final lamina = LaminaClient(
      Uri.parse('http://127.0.0.1:${silent.port}'),
      resumableAbove: 100 * 1024,
      retries: const RetryPolicy(attempts: 2, first: Duration(milliseconds: 20)),
      timeouts: const Timeouts(
        connect: Duration(milliseconds: 200),
        answer: Duration(milliseconds: 300),
        idle: Duration(milliseconds: 300),
        patience: Duration(seconds: 1),
      ),
    );
    for (final call in <Future<Object?> Function()>[
      () => lamina.job('j'),
      () => lamina.create(JobRequest.upload('u')),
      () => lamina.delete('j'),
      () => lamina.watch('j').drain<void>(),
      () => lamina.upload(ImageInput.bytes(Uint8List(10)), method: UploadMethod.direct),
      () => lamina.upload(ImageInput.bytes(Uint8List(200000)), method: UploadMethod.resumable),
    ]) {
      check((await throws<LaminaTimeoutException>(call)).canRetry, 'it may be tried later');
    }
    lamina.close();
    await silent.close();
  });

  test(
    'a slow network, in both directions, is no error',
    () => overBadLine(
      server.port,
      timeouts: const Timeouts(answer: Duration(seconds: 5), idle: Duration(seconds: 5)),
      (lamina, line) async {
        line
          ..bytesPerSecond = 64 * 1024
          ..bytesPerSecondDown = 64 * 1024;
        final run = lamina.split(
          ImageInput.file(image('chelsea.png')),
          options: const SplitOptions(engine: Engine.fal, numLayers: 2),
        );
        final job = await run.done;
        equal((await lamina.layerBytes(job.layers.first)).length, job.layers.first.bytes);
      },
    ),
  );

  test('429 is waited for as long as the server says, also by an upload in parts and a watch', () async {
    await withServer({...emulator.environment, 'RATE_LIMIT': '4/s burst 4'}, (own) async {
      await using(own.uri, (lamina) async {
        final jobs = [
          for (var i = 0; i < 3; i++)
            lamina
                .split(
                  ImageInput.file(image('chelsea.png')),
                  options: const SplitOptions(engine: Engine.fal, numLayers: 1),
                )
                .done,
        ];
        for (final job in await Future.wait(jobs)) {
          equal(job.layers.length, 1);
        }
      });
      final hasty = LaminaClient(own.uri, retries: RetryPolicy.none);
      final limited = await throws<LimitReachedException>(
        () => Future.wait([for (var i = 0; i < 20; i++) hasty.jobPage()]),
      );
      equal((limited.code, limited.canRetry), (ProblemCode.rateLimited, true));
      check(limited.retryAfter! > Duration.zero, 'it says how long');
      hasty.close();
    });
  });

  test('limits that waiting does not help against are told at once', () async {
    await withServer(
      {
        ...emulator.environment,
        'SPEND_LIMIT_USD_PER_DAY': '0.01',
        'FAL_PRICE_USD': '0.05',
        'MAX_STORED_BYTES_PER_KEY': '3000000',
      },
      (own) async {
        await using(own.uri, (lamina) async {
          final clock = Stopwatch()..start();
          final spent = await throws<LimitReachedException>(() => lamina.create(falJob()));
          equal((spent.status, spent.code), (402, ProblemCode.spendLimitReached));
          final full = await throws<LimitReachedException>(() => lamina.createTicket(bytes: 4000000));
          equal((full.status, full.code), (507, ProblemCode.storageQuotaExceeded));
          check(clock.elapsed < const Duration(seconds: 20), 'at once: ${clock.elapsed}');
        });
      },
    );
  });

  test('a job that has expired is gone with its layers and links', () async {
    await withServer({...emulator.environment, 'JOB_TTL': '4s'}, (own) async {
      await using(own.uri, (lamina) async {
        final created = await lamina.create(falJob());
        final job = await lamina.watch(created.id).last as CompletedJob;
        check(job.expiresAt.difference(job.createdAt) == const Duration(seconds: 4), 'it says when');
        await until(() async {
          try {
            await lamina.job(created.id);
            return false;
          } on GoneException catch (error) {
            return error.code == ProblemCode.jobExpired;
          }
        }, 'it expires');
        await throws<GoneException>(() => lamina.layers(created.id));
        await throws<GoneException>(() => lamina.layerBytes(job.layers.first));
        await throws<GoneException>(() => lamina.layerStream(job.layers.first).drain<void>());
        await throws<GoneException>(() => lamina.watch(created.id).drain<void>());
        // What is gone counts as deleted.
        await lamina.delete(created.id);
        equal(await lamina.jobs().length, 0);
      });
    });
  });

  test('a token that ends is renewed before it does, and a provider that fails is told', () async {
    await withServer({'API_KEYS': 'app:right-key-of-the-app-1234567890'}, (own) async {
      var given = 0;
      await using(
        own.uri,
        token: () {
          given++;
          return LaminaToken(
            'right-key-of-the-app-1234567890',
            expiresAt: DateTime.now().add(given == 1 ? const Duration(seconds: 5) : const Duration(hours: 1)),
          );
        },
        (lamina) async {
          await lamina.jobPage();
          await lamina.jobPage();
          await lamina.jobPage();
          equal(given, 2, 'the first one would have ended on its way, the second is good');
        },
      );
      await using(own.uri, token: () => throw const SocketException('the backend is away'), (lamina) async {
        final error = await throws<TokenException>(() => lamina.jobPage());
        check(error.cause is SocketException && !error.message.contains('away'), '$error');
      });
      await using(own.uri, token: () => const LaminaToken('wrong\nkey'), (lamina) async {
        final error = await throws<TokenException>(() => lamina.jobPage());
        check(error.cause is FormatException && !'$error ${error.cause}'.contains('wrong'), '$error');
      });
    });
  });

  test(
    'a create that waits has the job in its answer',
    () => using(server.uri, (lamina) async {
      final created = await lamina.create(falJob(), wait: const Duration(seconds: 30));
      check(created.job is CompletedJob, 'it has ended: ${created.job}');
      equal((created.job! as CompletedJob).id, created.id);
      equal((await lamina.create(falJob())).job, null);
    }),
  );

  test(
    'a create that waits and whose answer is lost makes one job',
    () => overBadLine(server.port, (lamina, line) async {
      final before = await jobCount(lamina);
      line.swallowAnswerTo = 'POST /api/jobs';
      final created = await lamina.create(falJob(), wait: const Duration(seconds: 30));
      equal((line.swallowed, created.replayed), (1, true));
      check(created.job is CompletedJob, '${created.job}');
      equal(await jobCount(lamina), before + 1);
    }),
  );

  test('a page of an allowed origin may send and read all that the client sends and reads', () async {
    await withServer({...emulator.environment, 'CORS_ORIGINS': 'https://app.example.com'}, (own) async {
      final front = await Gateway.to(own.port);
      final answered = <String>{};
      await using(front.uri, token: () => const LaminaToken('a-token'), (lamina) async {
        final run = lamina.split(
          ImageInput.file(image('astronaut.png')),
          options: const SplitOptions(engine: Engine.fal, numLayers: 1),
        );
        final job = await run.done;
        await lamina
            .create(JobRequest.upload('00000000-0000-7000-8000-000000000000'), wait: Duration.zero)
            .then((_) {}, onError: (Object _) {});
        await lamina.layerBytes(job.layers.first);
        await lamina.discardUpload('00000000-0000-7000-8000-000000000000');
        answered.addAll(front.answeredHeaders);
      });
      await front.close();
      // Of an upload that was cut, of a stream that was, and of a download that was.
      final sent = {...front.sentHeaders, 'last-event-id', 'if-none-match', 'range', 'if-range'}
        ..removeAll(const {'host', 'connection', 'content-length', 'accept-encoding', 'transfer-encoding'});
      final http = HttpClient();
      Future<HttpClientResponse> ask(String method, String path, Map<String, String> headers) async {
        final request = await http.openUrl(method, own.uri.resolve(path));
        headers.forEach(request.headers.set);
        request.headers.set('origin', 'https://app.example.com');
        final response = await request.close();
        await response.drain<void>();
        return response;
      }

      Set<String> list(HttpClientResponse response, String name) => {
        for (final word in (response.headers[name]?.join(',') ?? '').split(',')) word.trim().toLowerCase(),
      };
      for (final (method, path) in [
        ('GET', '/api/jobs/x'),
        ('GET', '/api/jobs/x/events'),
        ('POST', '/api/jobs'),
        ('DELETE', '/api/jobs/x'),
        ('PATCH', '/api/uploads/tus/x'),
        ('PUT', '/api/webhooks'),
      ]) {
        final preflight = await ask('OPTIONS', path, {
          'access-control-request-method': method,
          'access-control-request-headers': sent.join(','),
        });
        final methods = list(preflight, 'access-control-allow-methods');
        check(methods.contains(method.toLowerCase()) || methods.contains('*'), '$method $path: $methods');
        final allowed = list(preflight, 'access-control-allow-headers');
        // Without a word `*` covers all but the key.
        final missing = allowed.contains('*')
            ? {'authorization'}.difference(allowed)
            : sent.difference(allowed);
        equal(missing, <String>{}, '$method $path');
      }
      final plain = await ask('GET', '/api/jobs', const {});
      final exposed = list(plain, 'access-control-expose-headers');
      const read = {
        'etag', 'retry-after', 'location', 'upload-offset', 'upload-length', 'idempotency-replayed', //
        'x-request-id',
      };
      check(exposed.contains('*') || read.difference(exposed).isEmpty, '${read.difference(exposed)}');
      check(answered.contains('upload-offset') && answered.contains('etag'), '$answered');
      http.close();
    });
  });

  test(
    'jobs are listed over pages of every size, each once, also while others come and go',
    () => using(server.uri, (lamina) async {
      final made = <String>[];
      for (var i = 0; i < 5; i++) {
        made.add((await lamina.create(falJob())).id);
      }
      for (final size in [1, 2, 5, 100]) {
        final ids = [await for (final job in lamina.jobs(pageSize: size)) job.id];
        equal(ids.toSet().length, ids.length, 'each once');
        check(ids.toSet().containsAll(made), 'all of them');
      }
      final seen = <String>[];
      await for (final job in lamina.jobs(pageSize: 2)) {
        if (seen.isEmpty) made.add((await lamina.create(falJob())).id);
        if (seen.length == 1) await lamina.delete(made[0]);
        seen.add(job.id);
      }
      equal(seen.toSet().length, seen.length, 'each once');
      check(seen.toSet().containsAll(made.sublist(1, 5)), 'those that were there all the time');
      await throws<InvalidRequestException>(() => lamina.jobPage(limit: 1000));
      await throws<ProblemException>(() => lamina.jobPage(cursor: 'x'));
    }),
  );

  runTests(
    before: () async {
      emulator = await Emulator.start();
      server = await Server.start({...emulator.environment, 'ENGINE': 'local'});
    },
    after: () async {
      await server.stop();
      await emulator.stop();
    },
  );
}
