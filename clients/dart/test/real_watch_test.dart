/// `watch` against the real server: its event streams, its waiting reads, and all that can be between it and an app.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';

import 'package:lamina_client/lamina_client.dart';

import 'support/gateway.dart';
import 'support/harness.dart';
import 'support/proxy.dart';
import 'support/real.dart';
import 'support/servers.dart';

late Emulator emulator;
late Server server;

/// The end of whatever falls silent comes soon.
const impatient = Timeouts(
  connect: Duration(seconds: 1),
  answer: Duration(seconds: 3),
  idle: Duration(milliseconds: 1500),
  patience: Duration(minutes: 1),
);

/// What a watch has shown so far, and its end.
final class Seen {
  Seen(Stream<Job> watch) {
    over = watch.forEach((job) {
      jobs.add(job);
      _changed();
    });
    over.ignore();
  }

  final List<Job> jobs = [];
  late final Future<void> over;
  final List<(bool Function(List<Job>), Completer<void>)> _waiting = [];

  /// Waits until [condition] holds of what was shown.
  Future<void> have(bool Function(List<Job> jobs) condition, String what) async {
    if (condition(jobs)) return;
    final wait = Completer<void>();
    _waiting.add((condition, wait));
    await Future.any([wait.future, over.then((_) => throw CheckFailed('The watch ended before: $what'))]);
  }

  Future<void> get working => have((jobs) => jobs.lastOrNull is ProcessingJob, 'the job is processed');

  /// The end of a job that completed, never shown backwards or twice.
  Future<CompletedJob> completed() async {
    await over;
    for (var i = 1; i < jobs.length; i++) {
      check(jobs[i].status.index >= jobs[i - 1].status.index, 'the status goes back: $jobs');
      check(jobs[i].progress >= jobs[i - 1].progress, 'the progress falls: $jobs');
    }
    check(jobs.where((job) => job.status.isFinal).length == 1, 'one end: $jobs');
    return jobs.last as CompletedJob;
  }

  void _changed() {
    for (final (condition, wait) in _waiting) {
      if (!wait.isCompleted && condition(jobs)) wait.complete();
    }
  }
}

/// Runs [body] with a server whose fal ends no run before it is told to, and a gateway in front of that server.
Future<void> held(
  Future<void> Function(Server own, HeldFal fal, Gateway front) body, {
  Map<String, String> environment = const {},
}) async {
  final fal = await HeldFal.to(emulator.port);
  try {
    await withServer({...emulator.environment, ...fal.environment, ...environment}, (own) async {
      final front = await Gateway.to(own.port);
      try {
        await body(own, fal, front);
      } finally {
        await front.close();
      }
    });
  } finally {
    await fal.close();
  }
}

bool isEvents(HttpRequest request) => request.uri.path.endsWith('/events');

/// Readings of the job itself, waiting or not.
int readings(Gateway front, String id) => front.requests
    .where((line) => line == 'GET /api/jobs/$id' || line.startsWith('GET /api/jobs/$id?'))
    .length;

void main() {
  test(
    'each step of a job comes by its event stream, and the job is read once',
    () => held((own, fal, front) async {
      await using(front.uri, (lamina) async {
        final created = await lamina.create(falJob());
        final seen = Seen(lamina.watch(created.id));
        await seen.working;
        fal.open();
        final job = await seen.completed();
        check(job.layers.isNotEmpty, 'the event has the layers');
        for (final layer in job.layers) {
          equal((await lamina.layerBytes(layer)).length, layer.bytes);
        }
        equal(front.asked('/events').length, 1, 'one stream: ${front.requests}');
        equal(readings(front, created.id), 1, 'one reading: ${front.requests}');
      });
    }),
  );

  test(
    'the embedded engine tells its steps by events too',
    () => using(server.uri, (lamina) async {
      final created = await lamina.create(localJob());
      final job = await Seen(lamina.watch(created.id)).completed();
      equal((job.engine, job.progress), (Engine.local, 1.0));
      // A watch that begins when all is over is told the end, and ends.
      equal((await lamina.watch(created.id).toList()).single.id, job.id);
    }),
  );

  test(
    'a job that fails is told by its event, with its code',
    () => using(server.uri, (lamina) async {
      final created = await lamina.create(falJob(prompt: '[[emulator:content_policy_violation]]'));
      final last = await lamina.watch(created.id).last as FailedJob;
      equal(last.code, FailureCode.contentRefused);
      check(last.error.length > 10, 'a sentence');
    }),
  );

  test(
    'a job that is deleted elsewhere ends its watch at once',
    () => held((own, fal, front) async {
      await using(front.uri, (lamina) async {
        final created = await lamina.create(falJob());
        final seen = Seen(lamina.watch(created.id));
        await seen.working;
        await using(own.uri, (other) => other.delete(created.id));
        final error = await throws<GoneException>(() => seen.over);
        equal(error.code, ProblemCode.jobDeleted);
        equal(front.asked('wait=').length, 0, 'nothing was waited for: ${front.requests}');
      });
    }),
  );

  test(
    'a job that expires while it is watched ends its watch',
    () => held(environment: {'JOB_TTL': '3s'}, (own, fal, front) async {
      await using(front.uri, (lamina) async {
        final created = await lamina.create(falJob());
        final error = await throws<GoneException>(() => lamina.watch(created.id).drain<void>());
        equal(error.code, ProblemCode.jobExpired);
      });
    }),
  );

  test(
    'a server that is killed amid the events goes on with them after its start',
    () => held((own, fal, front) async {
      await using(own.uri, (lamina) async {
        final created = await lamina.create(falJob());
        final seen = Seen(lamina.watch(created.id));
        await seen.working;
        await own.kill();
        await own.up();
        fal.open();
        await seen.completed();
      });
    }),
  );

  test(
    'a job that ends while the line is down is seen to have ended when it is back',
    () => held((own, fal, front) async {
      await overBadLine(own.port, (lamina, line) async {
        final created = await lamina.create(falJob());
        final seen = Seen(lamina.watch(created.id));
        await seen.working;
        line
          ..down = true
          ..cutAll();
        fal.open();
        await using(own.uri, (other) => other.watch(created.id).drain<void>());
        check(seen.jobs.last is ProcessingJob, 'nothing was heard of it');
        line.down = false;
        await seen.completed();
      });
    }),
  );

  test(
    'a line that is cut again and again brings the end all the same',
    () => held((own, fal, front) async {
      await overBadLine(own.port, (lamina, line) async {
        final created = await lamina.create(falJob());
        final seen = Seen(lamina.watch(created.id));
        for (var cut = 0; cut < 4; cut++) {
          final connections = line.connections;
          await until(() => line.connections > connections || line.isOpen, 'a connection');
          line.cutAll();
        }
        fal.open();
        await seen.completed();
      });
    }),
  );

  test(
    'an app that comes back finds the end behind a connection that died in its sleep',
    () => held((own, fal, front) async {
      await overBadLine(own.port, (lamina, line) async {
        final created = await lamina.create(falJob());
        final seen = Seen(lamina.watch(created.id));
        await seen.working;
        line.strandAll();
        fal.open();
        await using(own.uri, (other) => other.watch(created.id).drain<void>());
        check(seen.jobs.last is ProcessingJob, 'nothing was heard of it');
        final clock = Stopwatch()..start();
        lamina.wake();
        await seen.completed();
        // A time-out would have taken three quarters of a minute.
        check(clock.elapsed < const Duration(seconds: 30), 'it looked at once: ${clock.elapsed}');
      });
    }),
  );

  test(
    'a connection that died unnoticed is given up by itself',
    () => held((own, fal, front) async {
      await overBadLine(own.port, timeouts: impatient, (lamina, line) async {
        final created = await lamina.create(falJob());
        final seen = Seen(lamina.watch(created.id));
        await seen.working;
        line.strandAll();
        fal.open();
        await seen.completed();
      });
    }),
  );

  for (final (name, answer) in <(String, bool Function(HttpRequest))>[
    ('406', (request) => page(request, 406)),
    ('a 404 of its own', (request) => page(request, 404)),
    ('a 403 of its own', (request) => page(request, 403)),
    ('a 401 of its own', (request) => page(request, 401)),
    ('a 504 of its own', (request) => page(request, 504)),
    ('400', (request) => page(request, 400, type: 'text/plain', body: 'no')),
    ('a page', (request) => page(request, 200)),
    ('a page that calls itself events', (request) => page(request, 200, type: 'text/event-stream')),
    (
      'an event of nobody',
      (request) => page(request, 200, type: 'text/event-stream', body: 'data: hello\n\n'),
    ),
  ]) {
    test(
      'where a proxy answers event streams with $name, the job is asked for and the server waits',
      () => held((own, fal, front) async {
        front.answers = (request) => isEvents(request) && answer(request);
        await using(front.uri, timeouts: impatient, (lamina) async {
          final created = await lamina.create(falJob());
          final seen = Seen(lamina.watch(created.id));
          await seen.working;
          await until(() => front.asked('wait=').isNotEmpty, 'a reading that waits');
          fal.open();
          await seen.completed();
          check(front.asked('/events').length <= 4, 'it stopped asking for events: ${front.requests}');
        });
      }),
    );
  }

  for (final headersFirst in [true, false]) {
    test(
      'where a proxy holds events back${headersFirst ? ' behind their headers' : ''}, the job is asked for and the server waits',
      () => held((own, fal, front) async {
        front
          ..collects = isEvents
          ..headersFirst = headersFirst;
        await using(front.uri, timeouts: impatient, (lamina) async {
          final created = await lamina.create(falJob());
          final seen = Seen(lamina.watch(created.id));
          await seen.working;
          await until(() => front.asked('wait=').isNotEmpty, 'a reading that waits');
          fal.open();
          await seen.completed();
        });
      }),
    );
  }

  test(
    'a proxy that compresses everything changes nothing',
    () => held((own, fal, front) async {
      front
        ..collects = ((request) => !isEvents(request))
        ..changes = (request, answer, body) {
          request.response.headers.set('content-encoding', 'gzip');
          return gzip.encode(body);
        };
      await using(front.uri, (lamina) async {
        final created = await lamina.create(falJob());
        final seen = Seen(lamina.watch(created.id));
        await seen.working;
        fal.open();
        final job = await seen.completed();
        equal((await lamina.layerBytes(job.layers.first)).length, job.layers.first.bytes);
        final upload = await lamina.upload(
          ImageInput.file(image('design_card.png')),
          method: UploadMethod.resumable,
        );
        equal((await lamina.uploadStatus(upload.id)).state, UploadState.received);
      });
    }),
  );

  test(
    'a waiting read outlives a server that is killed, and is asked again',
    () => held((own, fal, front) async {
      front.answers = (request) => isEvents(request) && page(request, 404);
      await using(front.uri, (lamina) async {
        final created = await lamina.create(falJob());
        final seen = Seen(lamina.watch(created.id));
        await seen.working;
        await until(() => front.asked('wait=').isNotEmpty, 'a reading that waits');
        await own.kill();
        await own.up();
        fal.open();
        await seen.completed();
      });
    }),
  );

  test(
    'where the owner may have one stream, all watches see their ends',
    () => held(environment: {'MAX_EVENT_STREAMS_PER_KEY': '1'}, (own, fal, front) async {
      await using(front.uri, timeouts: impatient, (lamina) async {
        final watches = [for (var i = 0; i < 3; i++) Seen(lamina.watch((await lamina.create(falJob())).id))];
        await Future.wait([for (final seen in watches) seen.working]);
        fal.open();
        for (final seen in watches) {
          await seen.completed();
        }
      });
    }),
  );

  test(
    'of many watches only a few keep a connection, as browsers have few',
    () => held((own, fal, front) async {
      var open = 0;
      var most = 0;
      front.answers = (request) {
        if (!isEvents(request) && !request.uri.hasQuery) return false;
        open++;
        if (open > most) most = open;
        request.response.done.whenComplete(() => open--).ignore();
        return false;
      };
      await using(front.uri, maxEventStreams: 2, (lamina) async {
        final watches = [for (var i = 0; i < 5; i++) Seen(lamina.watch((await lamina.create(falJob())).id))];
        await Future.wait([for (final seen in watches) seen.working]);
        fal.open();
        for (final seen in watches) {
          await seen.completed();
        }
        equal(most, 2, 'streams and waiting reads at once');
      });
    }),
  );

  test('a token that is revoked amid a watch is renewed, and the watch goes on', () async {
    await held(environment: {'ADMIN_KEY': 'the-operators-key-0123456789abcdef'}, (own, fal, front) async {
      Future<Map<String, Object?>> admin(String method, String path, [Object? body]) async {
        final http = HttpClient();
        final request = await http.openUrl(method, own.uri.resolve(path));
        request.headers
          ..set('authorization', 'Bearer the-operators-key-0123456789abcdef')
          ..contentType = ContentType.json;
        if (body != null) request.write(json.encode(body));
        final answer = await utf8.decodeStream(await request.close());
        http.close();
        return json.decode(answer) as Map<String, Object?>;
      }

      var key = await admin('POST', '/api/admin/keys', {'name': 'app'});
      var given = 0;
      await overBadLine(own.port, (_, line) async {
        await using(
          line.uri,
          token: () {
            given++;
            return LaminaToken(key['key']! as String);
          },
          (lamina) async {
            final created = await lamina.create(falJob());
            final seen = Seen(lamina.watch(created.id));
            await seen.working;
            final old = key;
            key = await admin('POST', '/api/admin/keys', {'name': 'app'});
            await admin('DELETE', '/api/admin/keys/${old['id']}');
            line.cutAll();
            await until(() => given == 2, 'another token');
            fal.open();
            await seen.completed();
            equal(given, 2, 'asked once more, for all calls');
          },
        );
      });
    });
  });

  test(
    'a watch that nobody follows any more leaves nothing open at the server',
    () => held((own, fal, front) async {
      await overBadLine(own.port, (lamina, line) async {
        final created = await lamina.create(falJob());
        final first = Completer<void>();
        final listening = lamina.watch(created.id).listen((_) {
          if (!first.isCompleted) first.complete();
        });
        await first.future;
        await listening.cancel();
        // What is kept for further requests is closed after its idle time.
        await until(() => !line.isOpen, 'the connection of the stream is closed');
      });
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
