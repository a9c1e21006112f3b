/// The client against a server that follows a script: what the real one does not do on demand (events that break, long poll) or does not have yet (exports,
/// compositing, thumbnails), and what it should never do.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';
import 'dart:typed_data';

import 'package:lamina_client/lamina_client.dart';

import 'support/harness.dart';
import 'support/proxy.dart';

const quick = Timeouts(
  connect: Duration(seconds: 5),
  answer: Duration(seconds: 2),
  idle: Duration(seconds: 2),
  patience: Duration(seconds: 20),
);

Map<String, Object?> jobJson(String status, double progress, [Map<String, Object?> more = const {}]) => {
  'job_id': 'j1',
  'status': status,
  'progress': progress,
  'layers': status == 'completed' ? <Object?>[] : null,
  'engine': 'fal',
  'created_at': '2026-11-22T17:49:03.846Z',
  'expires_at': '2026-11-23T17:49:03.846Z',
  ...more,
};

/// One server for one test.
final class Script {
  Script._(this.http);

  final HttpServer http;
  final List<String> requests = [];

  /// The job now; its ETag follows from it.
  Map<String, Object?> job = jobJson('pending', 0);

  String get etag => '"${job['status']}-${job['progress']}"';
  Uri get uri => Uri.parse('http://127.0.0.1:${http.port}');

  /// How often the job itself was read.
  int get readings =>
      requests.where((request) => RegExp(r'^GET /api/jobs/\w+( |\?|$)').hasMatch(request)).length;

  Iterable<String> asked(String part) => requests.where((request) => request.contains(part));

  void answerJob(HttpRequest request, {String? retryAfter = '0'}) {
    final response = request.response;
    if (retryAfter != null) response.headers.set('retry-after', retryAfter);
    response.headers.set('etag', etag);
    if (request.headers.value('if-none-match') == etag) {
      response.statusCode = 304;
    } else {
      response.headers.contentType = ContentType.json;
      response.write(json.encode(job));
    }
    response.close();
  }
}

extension on HttpRequest {
  void problem(int status, String code, {String? retryAfter}) {
    response.statusCode = status;
    if (retryAfter != null) response.headers.set('retry-after', retryAfter);
    response.headers.set('content-type', 'application/problem+json');
    response.write(json.encode({'status': status, 'code': code, 'detail': 'A sentence about $code.'}));
    response.close();
  }

  void text(String body, {int status = 200, String type = 'application/json'}) {
    response.statusCode = status;
    response.headers.set('content-type', type);
    response.write(body);
    response.close();
  }

  /// Sends headers of an event stream and leaves it open.
  HttpResponse events() {
    response.headers.set('content-type', 'text/event-stream');
    response.bufferOutput = false;
    response.done.ignore();
    response.write(': welcome\n\n');
    return response;
  }
}

/// Runs [body] with a client of a server whose requests [handle] answers.
Future<void> scripted(
  FutureOr<void> Function(Script server, HttpRequest request) handle,
  Future<void> Function(Script server, LaminaClient lamina) body, {
  Timeouts timeouts = quick,
  RetryPolicy retries = const RetryPolicy(
    first: Duration(milliseconds: 20),
    longest: Duration(milliseconds: 200),
  ),
  TokenProvider? token,
}) async {
  final script = Script._(await HttpServer.bind(InternetAddress.loopbackIPv4, 0));
  script.http.listen((request) async {
    script.requests.add(
      '${request.method} ${request.uri} ${request.headers.value('last-event-id') ?? ''}'.trim(),
    );
    try {
      await handle(script, request);
    } on IOException {
      // The client went away, as it may.
    }
  });
  final lamina = LaminaClient(script.uri, timeouts: timeouts, retries: retries, token: token);
  try {
    await body(script, lamina);
  } finally {
    lamina.close();
    await script.http.close(force: true);
  }
}

String event(String type, Map<String, Object?> data, int id) =>
    'id: $id\nevent: $type\ndata: ${json.encode(data)}\n\n';

void main() {
  test(
    'events that hold the job are shown as they come, without polling',
    () => scripted(
      (server, request) async {
        if (!request.uri.path.endsWith('/events')) return server.answerJob(request);
        final out = request.events();
        for (final (index, progress) in [0.2, 0.4, 0.6].indexed) {
          await Future<void>.delayed(const Duration(milliseconds: 50));
          out.write(event('progress', jobJson('processing', progress), index + 1));
        }
        out.write(event('completed', jobJson('completed', 1), 9));
        await out.close();
      },
      (server, lamina) async {
        final seen = await lamina.watch('j1').toList();
        equal([for (final job in seen) job.progress], [0.0, 0.2, 0.4, 0.6, 1.0]);
        check(seen.last is CompletedJob, 'completed');
        equal(server.asked('GET /api/jobs/j1').length, 2, 'one stream and one reading: ${server.requests}');
      },
    ),
  );

  test(
    'events that hold parts of the job make it be read',
    () => scripted(
      (server, request) async {
        if (!request.uri.path.endsWith('/events')) return server.answerJob(request);
        final out = request.events();
        // Each step waits until the one before was read.
        await until(() => server.readings >= 1, 'the first reading');
        server.job = jobJson('processing', 0.5);
        out.write('event: progress\ndata: {"progress": 0.5}\n\nevent: of_tomorrow\ndata: x\n\n');
        await until(() => server.readings >= 3, 'a reading for each event');
        server.job = jobJson('failed', 0.5, {'error': 'A sentence.', 'error_code': 'engine_failed'});
        out.write('event: failed\ndata: {}\n\n');
      },
      (server, lamina) async {
        final seen = await lamina.watch('j1').toList();
        equal([for (final job in seen) job.status.name], ['pending', 'processing', 'failed']);
      },
    ),
  );

  test(
    'an event stream that is cut goes on after its last event, and nothing is shown twice or backwards',
    () {
      var streams = 0;
      return scripted(
        (server, request) async {
          if (!request.uri.path.endsWith('/events')) return server.answerJob(request);
          streams++;
          if (streams == 1) {
            server.job = jobJson('processing', 0.3);
            final socket = await request.response.detachSocket(writeHeaders: false);
            final first = event('progress', server.job, 41);
            socket
              ..write(
                'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n',
              )
              ..write('${first.length.toRadixString(16)}\r\n$first\r\n');
            await socket.flush();
            await Future<void>.delayed(const Duration(milliseconds: 100));
            return socket.destroy();
          }
          final out = request.events();
          // Played again, and an old one among them.
          out
            ..write(event('progress', jobJson('processing', 0.1), 40))
            ..write(event('progress', jobJson('processing', 0.3), 41));
          server.job = jobJson('completed', 1);
          out.write(event('completed', server.job, 42));
        },
        (server, lamina) async {
          final seen = await lamina.watch('j1').toList();
          equal([for (final job in seen) job.progress].toSet().toList(), [
            for (final job in seen) job.progress,
          ]);
          check(seen.last is CompletedJob, 'completed');
          check(server.asked('/events 41').isNotEmpty, 'Last-Event-ID: ${server.requests}');
        },
      );
    },
  );

  test('an app that comes back sees the end that a dead stream did not tell', () {
    var streams = 0;
    return scripted(
      timeouts: const Timeouts(idle: Duration(minutes: 5)),
      (server, request) async {
        if (!request.uri.path.endsWith('/events')) return server.answerJob(request);
        streams++;
        request.events();
        if (streams == 1)
          Timer(const Duration(milliseconds: 300), () => server.job = jobJson('completed', 1));
      },
      (server, lamina) async {
        final seen = <Job>[];
        final done = lamina.watch('j1').forEach(seen.add);
        await until(
          () => streams == 1 && seen.isNotEmpty && server.job['status'] == 'completed',
          'the silent end',
        );
        // The app is back in the foreground.
        lamina.wake();
        await done;
        check(seen.last is CompletedJob, 'completed');
      },
    );
  });

  for (final (name, answer) in <(String, void Function(HttpRequest))>[
    ('404', (request) => request.problem(404, 'route_not_found')),
    ('405', (request) => request.problem(405, 'method_not_allowed')),
    ('406', (request) => request.problem(406, 'not_acceptable')),
    ('501', (request) => request.text('', status: 501)),
    ('a page', (request) => request.text('<html>', type: 'text/html')),
  ]) {
    test('a server that answers $name for events is polled, and asked for events once', () {
      var readings = 0;
      return scripted(
        (server, request) {
          if (request.uri.path.endsWith('/events')) return answer(request);
          readings++;
          server.job = readings > 5 ? jobJson('completed', 1) : jobJson('processing', readings / 10);
          server.answerJob(request);
        },
        (server, lamina) async {
          check(await lamina.watch('j1').last is CompletedJob, 'completed');
          check(await lamina.watch('j1').last is CompletedJob, 'again');
          equal(server.asked('/events').length, 1);
          // It may have been the page of a network that the phone has left.
          lamina.wake();
          check(await lamina.watch('j1').last is CompletedJob, 'once more');
          equal(server.asked('/events').length, 2);
        },
      );
    });
  }

  test('a proxy that holds events back is seen through, and the job is polled', () async {
    for (final headersPass in [true, false]) {
      var readings = 0;
      await scripted(
        (server, request) {
          if (request.uri.path.endsWith('/events')) {
            if (headersPass) request.events();
            return;
          }
          readings++;
          if (readings > 6) server.job = jobJson('completed', 1);
          server.answerJob(request);
        },
        (server, lamina) async {
          check(await lamina.watch('j1').last is CompletedJob, 'completed');
          equal(server.asked('/events').length, 3, 'given up after three');
        },
        timeouts: const Timeouts(
          connect: Duration(seconds: 1),
          answer: Duration(milliseconds: 500),
          idle: Duration(milliseconds: 500),
        ),
      );
    }
  });

  test('too many open streams mean a reading, and another attempt later', () {
    var streams = 0;
    return scripted(
      (server, request) async {
        if (!request.uri.path.endsWith('/events')) return server.answerJob(request);
        streams++;
        if (streams == 1) return request.problem(503, 'server_busy', retryAfter: '0');
        final out = request.events();
        server.job = jobJson('completed', 1);
        out.write(event('completed', server.job, 1));
      },
      (server, lamina) async {
        check(await lamina.watch('j1').last is CompletedJob, 'completed');
        equal(streams, 2);
      },
    );
  });

  test('a server that knows how to wait is asked to, and answers at once when something changes', () {
    return scripted(
      (server, request) async {
        if (request.uri.path.endsWith('/events')) return request.problem(404, 'route_not_found');
        if (request.uri.queryParameters['wait'] == '25') {
          await Future<void>.delayed(const Duration(milliseconds: 1200));
          server.job = server.job['status'] == 'pending'
              ? jobJson('processing', 0.5)
              : jobJson('completed', 1);
        }
        server.answerJob(request, retryAfter: '60');
      },
      (server, lamina) async {
        final clock = Stopwatch();
        final seen = <Job>[];
        await for (final job in lamina.watch('j1')) {
          if (job is ProcessingJob) clock.start();
          seen.add(job);
        }
        equal([for (final job in seen) job.status.name], ['pending', 'processing', 'completed']);
        check(
          clock.elapsed < const Duration(seconds: 40),
          'Retry-After is not waited for between long polls: ${clock.elapsed}',
        );
      },
    );
  });

  test(
    'a server that refuses the question for a wait is polled without it',
    () => scripted(
      (server, request) {
        if (request.uri.path.endsWith('/events')) return request.problem(404, 'route_not_found');
        if (request.uri.hasQuery) {
          server.job = jobJson('completed', 1);
          return request.problem(422, 'invalid_query');
        }
        server.answerJob(request);
      },
      (server, lamina) async {
        check(await lamina.watch('j1').last is CompletedJob, 'completed');
        equal(server.asked('wait=').length, 1);
      },
    ),
  );

  test('polling keeps to Retry-After and costs no bodies while nothing changes', () {
    final times = <DateTime>[];
    return scripted(
      (server, request) {
        if (request.uri.path.endsWith('/events')) return request.problem(404, 'route_not_found');
        times.add(DateTime.now());
        if (times.length > 4) server.job = jobJson('completed', 1);
        server.answerJob(request, retryAfter: '1');
      },
      (server, lamina) async {
        check(await lamina.watch('j1').last is CompletedJob, 'completed');
        // The second reading finds out whether the server waits; it does not.
        for (var i = 2; i < times.length; i++) {
          check(
            times[i].difference(times[i - 1]) >= const Duration(milliseconds: 990),
            'not sooner than asked',
          );
        }
      },
    );
  });

  test('a watch outlives errors of a deployment and a sign-in page, and ends with the job', () {
    var readings = 0;
    return scripted(
      (server, request) {
        if (request.uri.path.endsWith('/events')) return request.problem(404, 'route_not_found');
        readings++;
        switch (readings) {
          case 2:
            return request.text('<html>bad gateway</html>', status: 502, type: 'text/html');
          case 3:
            return request.text('<html>sign in</html>', type: 'text/html');
          case 4:
            return request.text('no such service', status: 404, type: 'text/plain');
          case 5:
            return request.text('{"job_id": "j1", "sta');
          case 6:
            return request.problem(429, 'rate_limited', retryAfter: '0');
          case 7:
            request.response.redirect(Uri.parse('https://portal.invalid/'));
            return null;
        }
        if (readings > 7) server.job = jobJson('completed', 1);
        server.answerJob(request);
      },
      (server, lamina) async {
        check(await lamina.watch('j1').last is CompletedJob, 'completed');
        check(readings >= 8, '$readings');
      },
    );
  });

  test('a watch ends where there is nothing to wait for', () async {
    for (final (status, code, matches) in <(int, String, bool Function(Object))>[
      (404, 'job_not_found', (error) => error is NotFoundException),
      (410, 'job_expired', (error) => error is GoneException),
      (401, 'unauthorized', (error) => error is UnauthorizedException),
      (403, 'origin_not_allowed', (error) => error is ForbiddenException),
      (500, 'internal_error', (error) => error is ServerException),
    ]) {
      await scripted(
        (server, request) => request.uri.path.endsWith('/events')
            ? request.problem(404, 'route_not_found')
            : request.problem(status, code),
        (server, lamina) async {
          final error = await throws<LaminaException>(() => lamina.watch('j1').drain<void>());
          check(matches(error), '$error');
          equal(server.asked('GET /api/jobs/j1').length, 2, 'asked once');
        },
      );
    }
  });

  test(
    'a watch whose listener leaves, waits or ends it does no more',
    () => scripted(
      (server, request) {
        if (request.uri.path.endsWith('/events')) return request.problem(404, 'route_not_found');
        final before = server.job['progress']! as double;
        if (before < 0.9) server.job = jobJson('processing', before + 0.001);
        server.answerJob(request);
      },
      (server, lamina) async {
        final first = await lamina.watch('j1').first;
        equal(first.id, 'j1');
        final asked = server.requests.length;
        await Future<void>.delayed(const Duration(milliseconds: 600));
        check(server.requests.length <= asked + 1, 'nobody listens, and nothing is asked');

        final seen = <Job>[];
        final listening = lamina.watch('j1').listen(seen.add);
        await until(() => seen.isNotEmpty, 'the first');
        listening.pause();
        final held = seen.length;
        await Future<void>.delayed(const Duration(seconds: 1));
        equal(seen.length, held);
        final before = server.requests.length;
        await until(() => server.requests.length > before + 3, 'the job goes on');
        listening.resume();
        await Future<void>.delayed(const Duration(milliseconds: 20));
        check(
          seen.length - held <= 2,
          'the newest, and not the ${seen.length - held} that nobody waited for',
        );
        await until(() => seen.length > held, 'the newest');
        await listening.cancel();

        final trigger = AbortTrigger();
        Timer(const Duration(milliseconds: 300), trigger.abort);
        await throws<AbortedException>(() => lamina.watch('j1', abort: trigger).drain<void>());
      },
    ),
  );

  test('a split over a line that is cut never shows less than before', () {
    var part = 0;
    var offset = 0;
    return scripted(
      (server, request) async {
        final response = request.response;
        switch (request.method) {
          case 'POST' when request.uri.path == '/api/jobs':
            server.job = jobJson('completed', 1);
            await request.drain<void>();
            return request.text('{"job_id": "j1", "status": "pending"}', status: 202);
          case 'POST':
            response
              ..statusCode = 201
              ..headers.set('location', '/api/uploads/tus/u1');
            await response.close();
          case 'PATCH':
            part++;
            equal(request.headers.value('upload-offset'), '$offset');
            if (part == 1) {
              // Half of it is taken, and the line breaks when all of it was sent.
              await request.drain<void>();
              offset = 100000;
              return (await response.detachSocket(writeHeaders: false)).destroy();
            }
            offset += await request.fold<int>(0, (sum, chunk) => sum + chunk.length);
            response
              ..statusCode = 204
              ..headers.set('upload-offset', '$offset');
            await response.close();
          case 'HEAD':
            response
              ..headers.set('upload-offset', '$offset')
              ..headers.set('upload-length', '2000000');
            await response.close();
          default:
            if (request.uri.path.endsWith('/events')) return request.problem(404, 'route_not_found');
            server.answerJob(request);
        }
      },
      (server, lamina) async {
        final run = lamina.split(ImageInput.bytes(Uint8List(2000000)));
        final fractions = [for (final event in await run.events.toList()) event.fraction];
        for (var i = 1; i < fractions.length; i++) {
          check(fractions[i] >= fractions[i - 1], 'from ${fractions[i - 1]} to ${fractions[i]}');
        }
        equal(offset, 2000000);
        check((await run.done).layers.isEmpty, 'done');
      },
    );
  });

  test(
    'a server that never answers is given up, by each call',
    () => scripted(
      (server, request) {},
      (server, lamina) async {
        final clock = Stopwatch()..start();
        final error = await throws<LaminaTimeoutException>(() => lamina.job('j1'));
        check(error.canRetry, 'it may be tried later');
        check(clock.elapsed < const Duration(seconds: 60), '${clock.elapsed}');
        equal(server.requests.length, 2, 'as often as the policy says');
      },
      timeouts: const Timeouts(connect: Duration(seconds: 1), answer: Duration(milliseconds: 300)),
      retries: const RetryPolicy(attempts: 2, first: Duration(milliseconds: 10)),
    ),
  );

  test('an answer that stops in the middle, or drips, is given up', () async {
    await scripted(
      (server, request) async {
        request.response
          ..bufferOutput = false
          ..contentLength = 1000
          ..write('{"job_id"');
        await request.response.flush();
      },
      (server, lamina) => throws<LaminaTimeoutException>(() => lamina.job('j1')),
      timeouts: const Timeouts(idle: Duration(milliseconds: 300)),
      retries: RetryPolicy.none,
    );
  });

  test('answers that are not lamina\'s are told as that', () async {
    Future<void> answers(String body, {String type = 'application/json', int status = 200}) => scripted(
      (server, request) => request.text(body, type: type, status: status),
      (server, lamina) => throws<MalformedAnswerException>(() => lamina.job('j1')),
      retries: RetryPolicy.none,
    );
    await answers('<html>Sign in</html>', type: 'text/html');
    await answers('');
    await answers('[]');
    await answers('{"job_id": 7}');
    await answers(
      '{"job_id": "j1", "status": "completed", "progress": 1, "created_at": "x", "expires_at": "y"}',
    );
    await answers('[' * 100000);
    await scripted(
      (server, request) async {
        final socket = await request.response.detachSocket(writeHeaders: false);
        socket.write('SSH-2.0-OpenSSH_9.2\r\n\r\n');
        await socket.flush();
        socket.destroy();
      },
      (server, lamina) => throws<LaminaException>(() => lamina.job('j1')),
      retries: RetryPolicy.none,
    );
  });

  test(
    'a token goes to no other host, and the refusal says why',
    () => scripted(
      (server, request) {
        request.response
          ..statusCode = 308
          ..headers.set('location', 'http://127.0.0.1:${server.http.port}/elsewhere');
        request.response.close();
      },
      (server, lamina) async {
        final error = await throws<MalformedAnswerException>(() => lamina.job('j1'));
        check(error.message.contains('redirect'), error.message);
        equal(server.asked('/elsewhere').length, 0);
      },
      retries: RetryPolicy.none,
      token: () => const LaminaToken('t'),
    ),
  );

  test('links are opened without the token, and over redirects', () async {
    final tokens = <String?>[];
    final file = utf8.encode('the file of a layer');
    await scripted(
      (server, request) {
        tokens.add(request.headers.value('authorization'));
        if (request.uri.path == '/files/1') {
          request.response.redirect(Uri.parse('${server.uri}/bucket/1?X-Amz-Signature=s'));
        } else {
          request.response
            ..add(file)
            ..close();
        }
      },
      (server, lamina) async {
        Layer layer(Map<String, Object?> more) => Layer.fromJson({
          'id': 'layer_0',
          'url': '${server.uri}/files/1?sig=s',
          'width': 1,
          'height': 1,
          'order': 0,
          ...more, //
        });
        equal(await lamina.layerBytes(layer({'bytes': file.length})), file);
        equal(tokens, [null, null]);
        final wrong = layer({'sha256': '00' * 32});
        await throws<MalformedAnswerException>(() => lamina.layerBytes(wrong));
        await throws<MalformedAnswerException>(() => lamina.layerBytes(layer({'bytes': 3})));
        await throws<MalformedAnswerException>(() => lamina.layerBytes(layer({'bytes': 30})));
        await throws<NotSupportedException>(() => lamina.layerThumbnail(wrong));
        equal(await lamina.layerThumbnail(layer({'thumbnail_url': '${server.uri}/t'})), file);
      },
      retries: RetryPolicy.none,
      token: () => const LaminaToken('t'),
    );
  });

  test('reads are repeated, and what was refused for good is not', () async {
    for (final (status, code, times) in [
      (500, 'internal_error', 1),
      (503, 'server_busy', 3),
      (502, '', 3),
      (429, 'rate_limited', 3),
      (402, 'spend_limit_reached', 1),
      (507, 'storage_quota_exceeded', 1),
      (422, 'invalid_fields', 1),
      (408, 'request_timeout', 3),
    ]) {
      await scripted(
        (server, request) => request.problem(status, code, retryAfter: status == 429 ? '0' : null),
        (server, lamina) async {
          await throws<ProblemException>(() => lamina.job('j1'));
          equal(server.requests.length, times, '$status $code');
        },
        retries: const RetryPolicy(attempts: 3, first: Duration(milliseconds: 10)),
      );
    }
    await scripted((server, request) => request.problem(429, 'rate_limited', retryAfter: '3600'), (
      server,
      lamina,
    ) async {
      final error = await throws<LimitReachedException>(() => lamina.job('j1'));
      equal((error.retryAfter, server.requests.length), (const Duration(hours: 1), 1));
    });
  });

  test('exports and composites stream, and an old server says that it has none', () async {
    await scripted(
      (server, request) async {
        final body = await utf8.decodeStream(request);
        switch (request.uri.path) {
          case '/api/jobs/j1/export/psd' when request.method == 'POST':
            request.text('8BPS of $body', type: 'image/vnd.adobe.photoshop');
          case '/api/jobs/j1/export/psd':
            request.text('8BPS', type: 'image/vnd.adobe.photoshop');
          case '/api/jobs/j1/export/ora' when request.method == 'POST':
            request.problem(405, 'method_not_allowed');
          case '/api/jobs/j1/layers':
            request.text(
              '{"job_id": "j1", "layers": [], "exports": [{"format": "psd", "url": "https://x/e?sig=SECRET", '
              '"content_type": "image/vnd.adobe.photoshop", "extension": "psb"}]}',
            );
          case '/api/jobs/j3/layers':
            request.text('{"job_id": "j3", "layers": []}');
          case '/api/jobs/j1/composite':
            request.text(body, type: 'image/png');
          default:
            request.problem(404, request.uri.path.contains('j2') ? 'job_not_found' : 'route_not_found');
        }
      },
      (server, lamina) async {
        equal(await utf8.decodeStream(lamina.export('j1', 'psd')), '8BPS');
        await lamina.export('j1', 'psd', name: 'Über & Co').drain<void>();
        check(server.requests.last.endsWith('?name=%C3%9Cber+%26+Co'), server.requests.last);
        final recipe = LayerArrangement.of(const []).toJson();
        equal(await utf8.decodeStream(lamina.export('j1', 'psd', recipe: recipe)), '8BPS of {"layers":[]}');
        await throws<NotSupportedException>(() => lamina.export('j1', 'ora', recipe: recipe).drain<void>());
        final link = (await lamina.exportLinks('j1')).single;
        equal((link.format, link.extension), ('psd', 'psb'));
        check(!'$link'.contains('SECRET'), '$link');
        await throws<NotSupportedException>(() => lamina.exportLinks('j3'));
        equal(await utf8.decodeStream(lamina.composite('j1', {'format': 'png'})), '{"format":"png"}');
        await throws<NotSupportedException>(() => lamina.export('j1', 'xyz').drain<void>());
        await throws<NotFoundException>(() => lamina.export('j2', 'psd').drain<void>());
      },
    );
  });

  test('an export that nobody follows any more keeps no connection, whenever that is', () async {
    for (final headersSent in [false, true]) {
      final asked = Completer<void>();
      await scripted(
        (server, request) async {
          if (headersSent) {
            request.response
              ..contentLength = 50 * 1024 * 1024
              ..bufferOutput = false
              ..add(Uint8List(100));
            await request.response.flush();
          }
          asked.complete();
        },
        (server, _) async {
          final line = await Proxy.to(server.http.port);
          final lamina = LaminaClient(
            line.uri,
            timeouts: const Timeouts(answer: Duration(minutes: 5), idle: Duration(minutes: 5)),
          );
          final reading = lamina.export('j1', 'psd').listen(null, onError: (Object _) {});
          await asked.future;
          await reading.cancel();
          await until(() => !line.isOpen, 'the connection is closed');
          lamina.close();
          await line.close();
        },
      );
    }
  });

  test('calls that are ended at every moment throw what ended them, and nothing else', () async {
    await scripted(
      (server, request) async {
        await Future<void>.delayed(const Duration(milliseconds: 3));
        request.response
          ..bufferOutput = false
          ..headers.set('content-type', 'application/json')
          ..write('{"job_id": "j1", ');
        await request.response.flush();
        await Future<void>.delayed(const Duration(milliseconds: 3));
        request.response.write(
          '"status": "pending", "progress": 0, "created_at": "2026-11-22T17:49:03.846Z", ',
        );
        await request.response.flush();
        request.response.write('"expires_at": "2026-11-22T17:49:03.846Z"}');
        await request.response.close();
      },
      (server, lamina) async {
        var ended = 0;
        for (var after = 0; after < 120; after++) {
          final trigger = AbortTrigger();
          Timer(Duration(microseconds: after * 100), trigger.abort);
          try {
            await (after.isEven
                ? lamina.job('j1', abort: trigger)
                : lamina.export('j1', 'psd', abort: trigger).drain<void>());
          } on AbortedException {
            ended++;
          }
          // While one is ended others go on, also those that are connecting.
          if (after % 10 == 0) {
            final others = [for (var i = 0; i < 3; i++) lamina.job('j1')];
            lamina.wake();
            for (final other in others) {
              equal((await other).id, 'j1');
            }
          }
        }
        check(ended > 20, 'ended $ended of 120');
      },
      retries: RetryPolicy.none,
    );
  });

  test('a slow line has time for what the system holds of a body', () async {
    await scripted(
      (server, request) async {
        await request.drain<void>();
        request.text(
          '{"upload_id": "u", "url": "https://x/u", "content_type": "image/png", "width": 1, "height": 1, "bytes": 1, '
          '"expires_at": "2026-11-22T17:49:03.846Z"}',
          status: 201,
        );
      },
      (server, _) async {
        final line = await Proxy.to(server.http.port);
        line.bytesPerSecond = 60 * 1024;
        final lamina = LaminaClient(
          line.uri,
          timeouts: const Timeouts(answer: Duration(seconds: 1), idle: Duration(seconds: 1)),
          retries: RetryPolicy.none,
        );
        await lamina.upload(ImageInput.bytes(Uint8List(300 * 1024)));
        lamina.close();
        await line.close();
      },
    );
  });

  runTests();
}
