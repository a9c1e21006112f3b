/// What an app keeps of a split, and goes on with: after a rotation, a restart, a failure, with the real server.
library;

import 'dart:async';

import 'package:lamina_client/lamina_client.dart';

import 'support/gateway.dart';
import 'support/harness.dart';
import 'support/real.dart';
import 'support/servers.dart';

late Emulator emulator;
late Server server;

const options = SplitOptions(engine: Engine.fal, numLayers: 2);

/// One run of an app: a client and a session, whose states are kept.
final class App {
  App(Uri uri) : lamina = client(uri) {
    session = SplitSession(lamina, onChange: _changed);
  }

  final LaminaClient lamina;
  late final SplitSession session;
  final List<SplitState> states = [];

  /// What a system would give back to the next run.
  String? saved;

  void _changed() {
    states.add(session.state);
    saved = session.saved;
  }

  Future<void> until_(bool Function(SplitState state) condition, String what) =>
      until(() => condition(session.state), what);

  Future<CompletedJob> get done async {
    await until_((state) => state is SplitDone || state is SplitFailed, 'the end');
    return switch (session.state) {
      SplitDone(:final job) => job,
      final other => throw CheckFailed('$other ${other is SplitFailed ? other.error : ''}'),
    };
  }

  /// As a system ends it: nothing is told any more, and its sockets are gone.
  void die() {
    session.dispose();
    lamina.close();
  }
}

/// Runs [body] with a server whose runs end when they are told to.
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
  test('a session shows a picture on its way to its layers', () async {
    final app = App(server.uri);
    check(app.session.state is SplitIdle && app.session.saved == null, 'nothing was begun');
    await app.session.split(ImageInput.file(image('astronaut.png')), options: options);
    final job = await app.done;
    equal(job.layers.length, 2);
    var last = 0.0;
    for (final state in app.states.whereType<SplitWorking>()) {
      check(state.fraction >= last, 'from $last to ${state.fraction}');
      last = state.fraction;
    }
    equal(app.session.jobId, job.id);
    app.die();
    // The layers are there again after a restart, without the picture.
    final next = App(server.uri);
    await next.session.restore(app.saved!);
    equal((await next.done).id, job.id);
    next.die();
  });

  test(
    'an app that dies while the job runs goes on with it, and makes no other',
    () => held((own, fal, front) async {
      final app = App(front.uri);
      await app.session.split(ImageInput.file(image('chelsea.png')), options: options);
      await app.until_((state) => state is SplitWorking && state.job is ProcessingJob, 'the job runs');
      app.die();
      fal.open();
      final next = App(front.uri);
      await next.session.restore(app.saved!);
      equal((await next.done).id, app.session.jobId);
      equal(front.asked('POST /api/jobs').length, 1);
      next.die();
    }),
  );

  test('an app that dies amid the upload sends the rest', () async {
    final front = await Gateway.to(server.port);
    final app = App(front.uri);
    await app.session.split(ImageInput.file(image('astronaut.png')), options: options);
    await until(() => front.asked('PATCH ').length > 3, 'some parts');
    app.die();
    final sent = front.asked('PATCH ').length;
    final next = App(front.uri);
    await next.session.restore(
      app.saved!,
      picture: ImageInput.file(image('astronaut.png')),
      options: options,
    );
    await next.done;
    equal(front.asked('POST /api/uploads/tus').length, 1, 'one upload');
    check(front.asked('PATCH ').length - sent <= 791555 / 65536 - sent + 4, 'the rest: ${front.requests}');
    next.die();

    // Without the picture there is nothing to go on with, and nothing stays at the server.
    final third = App(front.uri);
    await third.session.split(ImageInput.file(image('astronaut.png')), options: options);
    await until(() => third.saved != null, 'the upload has begun');
    third.die();
    final fourth = App(front.uri);
    await fourth.session.restore(third.saved!);
    check(fourth.session.state is SplitIdle, '${fourth.session.state}');
    check(front.requests.last.startsWith('DELETE /api/uploads/tus/'), front.requests.last);
    // It has expired meanwhile.
    await fourth.session.restore(
      third.saved!,
      picture: ImageInput.file(image('astronaut.png')),
      options: options,
    );
    await fourth.done;
    fourth.die();
    await front.close();
  });

  test('an app that dies before it hears of its job makes it no second time', () async {
    final front = await Gateway.to(server.port);
    final arrived = Completer<void>();
    front
      ..collects = ((request) => request.uri.path == '/api/jobs' && request.method == 'POST')
      ..changes = (request, answer, body) async {
        if (!arrived.isCompleted) {
          arrived.complete();
          // The answer never comes to the app that asked.
          await Completer<void>().future;
        }
        return body;
      };
    final app = App(front.uri);
    await using(server.uri, (lamina) async {
      final before = await jobCount(lamina);
      await app.session.split(ImageInput.file(image('chelsea.png')), options: options);
      await arrived.future;
      app.die();
      equal(await jobCount(lamina), before + 1);
      final next = App(front.uri);
      await next.session.restore(app.saved!);
      final job = await next.done;
      equal(await jobCount(lamina), before + 1);
      equal(job.layers.length, 2, 'with the options of the first');
      next.die();
    });
    await front.close();
  });

  test(
    'a person who cancels leaves nothing, wherever it was',
    () => held((own, fal, front) async {
      final app = App(front.uri);
      await app.session.split(ImageInput.file(image('astronaut.png')), options: options);
      await until(() => front.asked('PATCH ').isNotEmpty, 'a part');
      await app.session.cancel();
      check(app.session.state is SplitIdle && app.saved == null, 'at once');
      await until(() => front.asked('DELETE /api/uploads/tus/').isNotEmpty, 'the upload is erased');
      await app.session.split(ImageInput.file(image('chelsea.png')), options: options);
      await app.until_((state) => state is SplitWorking && state.job is ProcessingJob, 'the job runs');
      final id = app.session.jobId!;
      await app.session.cancel();
      await until(() async {
        try {
          await app.lamina.job(id);
          return false;
        } on GoneException {
          return true;
        }
      }, 'the job is deleted');
      app.die();
    }),
  );

  test('what failed is tried again from where it was', () async {
    final front = await Gateway.to(server.port);
    final app = App(front.uri);
    var broken = true;
    front.answers = (request) =>
        broken && request.uri.path == '/api/jobs' && page(request, 500, body: 'no', type: 'text/plain');
    await app.session.split(ImageInput.file(image('astronaut.png')), options: options);
    await app.until_((state) => state is SplitFailed, 'it fails');
    broken = false;
    await app.session.retry();
    await app.done;
    equal(front.asked('POST /api/uploads/tus').length, 1, 'the picture was sent once');
    app.die();
    await front.close();
  });

  test('a job that failed is made anew by a retry, and one that is gone cannot be restored', () async {
    final app = App(server.uri);
    await app.session.split(
      ImageInput.file(image('chelsea.png')),
      options: const SplitOptions(engine: Engine.fal, prompt: '[[emulator:content_policy_violation]]'),
    );
    await app.until_((state) => state is SplitFailed, 'it fails');
    final first = app.session.jobId;
    check((app.session.state as SplitFailed).error is JobFailedException, 'by the job');
    await app.session.retry();
    await app.until_((state) => state is SplitFailed, 'it fails again');
    check(app.session.jobId != first, 'another job');
    await app.lamina.delete(app.session.jobId!);
    final saved = app.saved!;
    app.die();
    final next = App(server.uri);
    await next.session.restore(saved);
    await next.until_((state) => state is SplitFailed, 'it is gone');
    check((next.session.state as SplitFailed).error is GoneException && next.saved == null, 'for good');
    for (final nonsense in ['', '{}', 'null', '[]', '{"job_id": 7}', '{"request": {}}']) {
      await next.session.restore(nonsense);
      check(next.session.state is SplitIdle, nonsense);
    }
    next.die();
  });

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
