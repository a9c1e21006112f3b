/// `watchAll` against the real server: every end once and in order, over what is between it and an app.
library;

import 'dart:async';

import 'package:lamina_client/lamina_client.dart';

import 'support/gateway.dart';
import 'support/harness.dart';
import 'support/real.dart';
import 'support/servers.dart';

late Emulator emulator;

/// What was told.
final class Told {
  Told(LaminaClient lamina) {
    _listening = lamina.watchAll().listen(news.add, onError: errors.add, onDone: () => over = true);
  }

  late final StreamSubscription<JobNews> _listening;
  final List<JobNews> news = [];
  final List<Object> errors = [];
  bool over = false;

  Iterable<String> get ends => [
    for (final told in news)
      if (told case JobChanged(:final job) when job.status.isFinal) job.id,
  ];

  Iterable<String> get working => [
    for (final told in news)
      if (told case JobChanged(:final job) when !job.status.isFinal) job.id,
  ];

  Future<void> get end => _listening.cancel();
}

/// Runs [body] with a server whose fal ends no run before it is told to, and a gateway in front of that server.
Future<void> held(Future<void> Function(Server own, HeldFal fal, Gateway front) body) async {
  final fal = await HeldFal.to(emulator.port);
  await withServer({...emulator.environment, ...fal.environment}, (own) async {
    final front = await Gateway.to(own.port);
    await body(own, fal, front);
    await front.close();
  });
  await fal.close();
}

void main() {
  test(
    'jobs under way are told as they are, then new ones, their ends and what is deleted',
    () => held((own, fal, front) async {
      await using(front.uri, (lamina) async {
        final before = await lamina.create(falJob());
        final told = Told(lamina);
        await until(() => told.working.contains(before.id), 'the one under way');
        final after = await lamina.create(falJob());
        await until(() => told.working.contains(after.id), 'a new one');
        final deleted = await lamina.create(falJob());
        await lamina.delete(deleted.id);
        await until(
          () => told.news.whereType<JobGone>().any((gone) => gone.jobId == deleted.id),
          'the one that was deleted',
        );
        equal(told.news.whereType<JobGone>().single.code, ProblemCode.jobDeleted);
        fal.open();
        await until(() => told.ends.length == 2, 'both ends');
        equal(told.ends.toSet(), {before.id, after.id});
        check(told.news.whereType<JobChanged>().last.job is CompletedJob, 'with its layers');
        equal(front.asked('/api/events').length, 1, 'one stream');
        await told.end;
      });
    }),
  );

  test(
    'ends that happen while nobody hears are told when the line and the server are back, each once',
    () => held((own, fal, front) async {
      await overBadLine(own.port, (lamina, line) async {
        final told = Told(lamina);
        final ids = [for (var i = 0; i < 3; i++) (await lamina.create(falJob())).id];
        await until(() => told.working.toSet().containsAll(ids), 'all are under way');
        line
          ..down = true
          ..cutAll();
        fal.open();
        await using(own.uri, (other) async {
          for (final id in ids) {
            await other.watch(id).drain<void>();
          }
        });
        check(told.ends.isEmpty, 'nothing was heard');
        await own.kill();
        await own.up();
        line.down = false;
        await until(() => told.ends.length >= 3, 'the ends');
        line.cutAll();
        final last = (await lamina.create(falJob())).id;
        await until(() => told.ends.contains(last), 'one more');
        equal(told.ends.toList().length, 4, 'each once: ${told.news}');
        equal(told.errors, <Object>[]);
        await told.end;
      });
    }),
  );

  test(
    'an app that comes back hears what happened behind a connection that died',
    () => held((own, fal, front) async {
      await overBadLine(own.port, (lamina, line) async {
        final told = Told(lamina);
        final id = (await lamina.create(falJob())).id;
        await until(() => told.working.contains(id), 'it is under way');
        line.strandAll();
        fal.open();
        await using(own.uri, (other) => other.watch(id).drain<void>());
        lamina.wake();
        await until(() => told.ends.contains(id), 'the end');
        await told.end;
      });
    }),
  );

  for (final (name, refuse) in [('refuses', true), ('holds back', false)]) {
    test(
      'where a proxy $name streams the list tells, and what had ended before is not told',
      () => held((own, fal, front) async {
        fal.open();
        await using(own.uri, (other) async {
          await other.create(falJob(), wait: const Duration(seconds: 30));
        });
        if (refuse) {
          front.answers = (request) => request.uri.path == '/api/events' && page(request, 403);
        } else {
          front.collects = (request) => request.uri.path == '/api/events';
        }
        const impatient = Timeouts(
          connect: Duration(milliseconds: 500),
          answer: Duration(seconds: 3),
          idle: Duration(milliseconds: 1500),
        );
        await using(front.uri, timeouts: impatient, (lamina) async {
          final told = Told(lamina);
          await until(() => front.asked('GET /api/jobs?').isNotEmpty, 'the list is read');
          final id = (await lamina.create(falJob())).id;
          await until(() => told.ends.isNotEmpty, 'the end');
          equal(told.ends.toList(), [id]);
          await told.end;
        });
      }),
    );
  }

  test(
    'it ends with the client, and with a token that is refused',
    () => withServer({'API_KEYS': 'app:right-key-of-the-app-1234567890'}, (own) async {
      final wrong = client(own.uri, token: () => const LaminaToken('wrong-key-1234567890'));
      await throws<UnauthorizedException>(() => wrong.watchAll().drain<void>());
      wrong.close();
      final right = client(own.uri, token: () => const LaminaToken('right-key-of-the-app-1234567890'));
      final told = Told(right);
      await right.jobPage();
      right.close();
      await until(() => told.over, 'the end');
      check(told.errors.single is AbortedException, '${told.errors}');
    }),
  );

  runTests(before: () async => emulator = await Emulator.start(), after: () => emulator.stop());
}
