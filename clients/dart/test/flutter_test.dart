/// `lamina_flutter` and its example, as far as they go without Flutter: compiled against doubles of its libraries, and what does not draw is run against
/// the real server.
library;

import 'dart:async';

import 'package:flutter/ui.dart' as ui;
import 'package:flutter/widgets.dart';
import 'package:lamina_client/lamina_client.dart';
// Compiled, and not run: there is no browser below it.
import 'package:lamina_client_web/src/transport.dart' as web;
import 'package:lamina_client_web/src/transport_web.dart' as web;
import 'package:lamina_example/main.dart' as example;
import 'package:lamina_flutter/lamina_flutter.dart';

import 'support/harness.dart';
import 'support/real.dart' show client, image;
import 'support/servers.dart';

late Server server;
late LaminaClient lamina;
late CompletedJob job;

/// A stack that is mounted, with what a person did to it.
final class Stack {
  Stack({bool touchable = true, this.exploded = 0}) : arrangement = LayerArrangement.of(job.layers) {
    mounted = mount(_widget(touchable));
  }

  late final Mounted mounted;
  LayerArrangement arrangement;
  double exploded;
  final List<String?> selected = [];

  LayerStack _widget(bool touchable) => LayerStack(
    client: lamina,
    arrangement: arrangement,
    exploded: exploded,
    onSelected: (placed) => selected.add(placed?.layer.id),
    onChanged: touchable
        ? (changed) {
            arrangement = changed;
            mounted.update(_widget(true));
          }
        : null,
    placeholder: const Text('one moment'),
  );

  void show() => mounted.update(_widget(true));

  Future<void> get loaded => until(() => mounted.built is AspectRatio, 'the layers are loaded');

  /// As wide as it is laid out.
  static const width = 100.0;

  GestureDetector get gestures {
    final layout = (mounted.built as AspectRatio).child! as LayoutBuilder;
    final height = width * arrangement.height / arrangement.width;
    return layout.builder(mounted.context, BoxConstraints(maxWidth: width, maxHeight: height))
        as GestureDetector;
  }

  double get scale => width / arrangement.width;

  /// What is drawn: place and opacity, bottom first.
  List<(Offset, double)> get drawn {
    final painting = gestures.child! as CustomPaint;
    final canvas = ui.Canvas();
    painting.painter!.paint(canvas, painting.size);
    return [for (final (_, offset, opacity) in canvas.drawn) (offset, opacity)];
  }
}

/// A pixel of the layer at [index] that is opaque, and over which no other layer is, in the canvas's pixels.
Future<(int, int)> pixelOf(int index) async {
  final images = [for (final layer in job.layers) await LayerImage.load(lamina, layer)];
  try {
    final rect = job.layers[index].rect!;
    for (var y = rect.y; y < rect.y + rect.height; y++) {
      for (var x = rect.x; x < rect.x + rect.width; x++) {
        final above = images.skip(index + 1).any((image) => image.alphaAt(x, y) > 0);
        if (images[index].alphaAt(x, y) == 255 && !above) return (x, y);
      }
    }
    throw StateError('The layer is covered.');
  } finally {
    for (final image in images) {
      image.dispose();
    }
  }
}

void main() {
  test('the example and the transport of browsers compile', () {
    check(example.main is void Function(), 'the example');
    check(web.FetchTransport() is web.Transport, 'the transport');
    const page = example.SplitPage();
    check(page.createState() is RestorationMixin, 'its state is restored');
  });

  test('a layer is trimmed to its rectangle, and knows its alpha', () async {
    for (final layer in job.layers) {
      final loaded = await LayerImage.load(lamina, layer);
      equal((loaded.image!.width, loaded.image!.height), (layer.rect!.width, layer.rect!.height));
      var visible = 0;
      for (var y = layer.rect!.y; y < layer.rect!.y + layer.rect!.height; y++) {
        if (loaded.alphaAt(layer.rect!.x, y) > 0) visible++;
      }
      check(visible > 0, 'the rectangle of ${layer.id} is tight on its left');
      equal(loaded.alphaAt(-1, 0), 0);
      loaded.dispose();
    }
    equal(ui.Image.alive, 0, 'nothing is left');
  });

  test('a stack is drawn bottom first, in place, and hidden layers are not', () async {
    final stack = Stack();
    check((stack.mounted.built as Text).data == 'one moment', 'the placeholder');
    await stack.loaded;
    equal(
      [for (final (offset, _) in stack.drawn) offset],
      [for (final layer in job.layers) Offset(layer.rect!.x * stack.scale, layer.rect!.y * stack.scale)],
    );
    final top = job.layers.last.id;
    stack
      ..arrangement = stack.arrangement.fade(top, 0.25).show(job.layers.first.id, visible: false)
      ..show();
    equal(stack.drawn.length, job.layers.length - 1);
    equal(stack.drawn.last.$2, 0.25);
    stack
      ..exploded = 0.5
      ..show();
    final lifted = stack.drawn.last.$1;
    equal(lifted.dy, (job.layers.last.rect!.y - stack.arrangement.height * 0.5) * stack.scale);
    stack.mounted.unmount();
    equal(ui.Image.alive, 0, 'nothing is left');
  });

  test('a tap chooses by alpha, a drag moves what is under the finger', () async {
    final stack = Stack();
    await stack.loaded;
    final index = job.layers.length - 1;
    final (x, y) = await pixelOf(index);
    final (bx, by) = await pixelOf(0);
    Offset at(int x, int y) => Offset((x + 0.5) * stack.scale, (y + 0.5) * stack.scale);
    stack.gestures.onTapUp!(TapUpDetails(localPosition: at(x, y)));
    stack.gestures.onTapUp!(TapUpDetails(localPosition: at(bx, by)));
    equal(stack.selected, [job.layers[index].id, job.layers[0].id]);
    stack.gestures.onPanStart!(DragStartDetails(localPosition: at(x, y)));
    for (var step = 0; step < 10; step++) {
      stack.gestures.onPanUpdate!(DragUpdateDetails(delta: const Offset(1, -0.5)));
    }
    stack.gestures.onPanEnd!(DragEndDetails());
    // The finger is up.
    stack.gestures.onPanUpdate!(DragUpdateDetails(delta: const Offset(50, 50)));
    final moved = stack.arrangement.layers[index];
    check((moved.dx * stack.scale - 10).abs() < 1e-9 && (moved.dy * stack.scale + 5).abs() < 1e-9, '$moved');
    stack.gestures.onTapUp!(TapUpDetails(localPosition: Offset(at(x, y).dx + 10, at(x, y).dy - 5)));
    equal(stack.selected.last, job.layers[index].id, 'it is hit where it is now');
    check(stack.mounted.builds < 40, 'moves load nothing again');
    stack.mounted.unmount();

    final looking = Stack(touchable: false);
    await looking.loaded;
    check(looking.gestures.onPanStart == null && looking.gestures.onPanUpdate == null, 'only looked at');
    looking.mounted.unmount();
    equal(ui.Image.alive, 0, 'nothing is left');
  });

  test(
    'a stack that is taken away while it loads leaves nothing, and one that cannot load says why',
    () async {
      final leaving = Stack();
      await until(() => leaving.mounted.builds > 1, 'the first layer is there');
      leaving.mounted.unmount();
      await Future<void>.delayed(const Duration(milliseconds: 300));
      equal(ui.Image.alive, 0, 'nothing is left');

      final gone = Layer.fromJson({...job.layers.first.json, 'url': '${server.uri}/files/nothing'});
      final mounted = mount(LayerStack(client: lamina, arrangement: LayerArrangement.of([gone])));
      await until(() => mounted.built is Text, 'a sentence');
      check((mounted.built as Text).data.length > 10, 'it says why');
      VoidCallback? retry;
      mounted.update(
        LayerStack(
          client: lamina,
          arrangement: LayerArrangement.of([gone]),
          errorBuilder: (context, sentence, again) {
            retry = again;
            return const Text('again?');
          },
        ),
      );
      retry!();
      check(mounted.built is SizedBox, 'it tries once more');
      await until(() => mounted.built is Text, 'in vain');
      mounted.unmount();
    },
  );

  test('a controller tells where a picture is, and wakes the client with the app', () async {
    final controller = LaminaController(lamina);
    final states = <SplitState>[];
    controller.addListener(() => states.add(controller.state));
    equal(AppLifecycleListener.all.length, 1);
    await controller.split(
      ImageInput.file(image('design_poster.png')),
      options: const SplitOptions(engine: Engine.local),
    );
    AppLifecycleListener.all.single.onResume!();
    await until(() => controller.state is SplitDone || controller.state is SplitFailed, 'the end');
    check(controller.state is SplitDone && states.whereType<SplitWorking>().isNotEmpty, '$states');
    final saved = controller.saved;
    controller.dispose();
    equal(AppLifecycleListener.all, <Object>[]);

    // The system has ended the app, and a person comes back.
    final restorable = RestorableLaminaController(lamina);
    restorable.initWithValue(restorable.fromPrimitives(saved));
    var told = 0;
    restorable.addListener(() => told++);
    await until(() => restorable.value.state is SplitDone, 'the job is there again');
    check(told > 0, 'the restoration hears of it');
    equal(restorable.toPrimitives(), saved);
    await restorable.value.cancel();
    equal(restorable.toPrimitives(), '', 'nothing to go on with');
    restorable.dispose();
    await Future<void>.delayed(Duration.zero);
    equal(AppLifecycleListener.all, <Object>[]);
    final fresh = restorable.createDefaultValue();
    check(fresh.state is SplitIdle, 'a new one');
    fresh.dispose();
  });

  test('a controller that goes while a picture is sent tells nothing more', () async {
    final controller = LaminaController(lamina);
    await controller.split(ImageInput.file(image('astronaut.png')));
    await until(() => controller.saved != null, 'the upload has begun');
    final going = controller.cancel();
    controller.dispose();
    await going;
    await Future<void>.delayed(const Duration(milliseconds: 200));
  });

  runTests(
    before: () async {
      server = await Server.start({'ENGINE': 'local'});
      lamina = client(server.uri);
      job = await lamina.split(ImageInput.file(image('design_card.png'))).done;
    },
    after: () async {
      lamina.close();
      await server.stop();
    },
  );
}
