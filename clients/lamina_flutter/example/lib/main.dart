import 'dart:async';
import 'dart:io';

import 'package:flutter/material.dart';
import 'package:image_picker/image_picker.dart';
import 'package:lamina_client/lamina_client.dart';
import 'package:lamina_flutter/lamina_flutter.dart';
import 'package:path_provider/path_provider.dart';
import 'package:share_plus/share_plus.dart';

import 'layer_list.dart';

/// Where the server is: `flutter run --dart-define=LAMINA=http://10.0.2.2:8080` from the Android emulator.
const server = String.fromEnvironment('LAMINA', defaultValue: 'http://127.0.0.1:8080');

void main() => runApp(const MaterialApp(title: 'lamina', restorationScopeId: 'app', home: SplitPage()));

/// Pick a photo, watch it come apart, move its layers, share them as a PSD.
class SplitPage extends StatefulWidget {
  const SplitPage({super.key});

  @override
  State<SplitPage> createState() => _SplitPageState();
}

class _SplitPageState extends State<SplitPage> with RestorationMixin {
  // An app with users gives a token provider here, and never a key of the server.
  final LaminaClient lamina = LaminaClient(Uri.parse(server));
  late final RestorableLaminaController _split = RestorableLaminaController(lamina);

  /// What a person made of the layers; each step keeps the one before.
  final List<LayerArrangement> _steps = [];
  String? _stepsOf;
  String? _selected;
  bool _exploded = false;

  @override
  String get restorationId => 'split';

  @override
  void restoreState(RestorationBucket? oldBucket, bool initialRestore) {
    registerForRestoration(_split, 'job');
    if (initialRestore) unawaited(_lostPhoto());
  }

  /// Android may end the app while its camera or gallery is open, and hands the photo over at the next start.
  Future<void> _lostPhoto() async {
    if (!Platform.isAndroid) return;
    final lost = await ImagePicker().retrieveLostData();
    if (lost.files case [final photo, ...]) await _begin(photo);
  }

  Future<void> _pick() async {
    // With a size the picker hands out a JPEG, of a HEIC too.
    final photo = await ImagePicker().pickImage(source: ImageSource.gallery, maxWidth: 4096, maxHeight: 4096);
    if (photo != null) await _begin(photo);
  }

  Future<void> _begin(XFile photo) async =>
      _split.value.split(ImageInput.stream(await photo.length(), photo.openRead));

  Future<void> _share(String jobId) async {
    final messages = ScaffoldMessenger.of(context);
    try {
      final file = File('${(await getTemporaryDirectory()).path}/layers.psd');
      // What a person made of the layers is what they take home.
      final recipe = _steps.length > 1 ? _steps.last.recipe() : null;
      await lamina.export(jobId, 'psd', recipe: recipe).pipe(file.openWrite());
      await SharePlus.instance.share(ShareParams(files: [XFile(file.path)]));
    } on LaminaException catch (error) {
      messages.showSnackBar(SnackBar(content: Text(error.message)));
    }
  }

  /// What is shown of [job]: the last step, or its layers as they came.
  LayerArrangement _arrangement(CompletedJob job) {
    if (_stepsOf != job.id) {
      _stepsOf = job.id;
      _selected = null;
      _steps
        ..clear()
        ..add(LayerArrangement.of(job.layers));
    }
    return _steps.last;
  }

  void _arrange(LayerArrangement arrangement) => setState(() => _steps.add(arrangement));

  /// Back to the last step that looks different.
  void _undo() => setState(() {
    final shown = _steps.last;
    while (_steps.length > 1 && identical(_steps.last, shown)) {
      _steps.removeLast();
    }
  });

  @override
  void dispose() {
    _split.dispose();
    lamina.close();
    super.dispose();
  }

  @override
  Widget build(BuildContext context) => ListenableBuilder(
    listenable: _split,
    builder: (context, _) {
      final controller = _split.value;
      return Scaffold(
        appBar: AppBar(title: const Text('lamina'), actions: _actions(controller.state)),
        body: Center(
          child: Padding(padding: const EdgeInsets.all(24), child: _body(controller)),
        ),
        floatingActionButton: FloatingActionButton.extended(
          onPressed: _pick,
          icon: const Icon(Icons.photo),
          label: const Text('Photo'),
        ),
      );
    },
  );

  List<Widget> _actions(SplitState state) => [
    if (state case SplitDone(:final job)) ...[
      IconButton(onPressed: _steps.length > 1 ? _undo : null, icon: const Icon(Icons.undo), tooltip: 'Undo'),
      IconButton(
        onPressed: () => setState(() => _exploded = !_exploded),
        icon: const Icon(Icons.layers),
        tooltip: 'Pull apart',
      ),
      IconButton(onPressed: () => _share(job.id), icon: const Icon(Icons.share), tooltip: 'Share as PSD'),
    ],
  ];

  Widget _body(LaminaController controller) => switch (controller.state) {
    SplitIdle() => const Text('Choose a photo, and it comes apart into layers.'),
    SplitWorking(:final fraction, :final job) => Column(
      mainAxisSize: MainAxisSize.min,
      children: [
        LinearProgressIndicator(value: fraction),
        Text(job?.eta == null ? 'One moment …' : 'About ${job!.eta!.inSeconds} s'),
        TextButton(onPressed: controller.cancel, child: const Text('Cancel')),
      ],
    ),
    SplitDone(:final job) => _layers(_arrangement(job)),
    SplitFailed(:final error) => Column(
      mainAxisSize: MainAxisSize.min,
      children: [
        Text(error.message, textAlign: TextAlign.center),
        if (error.canRetry) FilledButton(onPressed: controller.retry, child: const Text('Try again')),
      ],
    ),
  };

  Widget _layers(LayerArrangement arrangement) => Column(
    children: [
      Expanded(
        child: TweenAnimationBuilder<double>(
          tween: Tween(end: _exploded ? 0.5 : 0),
          duration: const Duration(milliseconds: 300),
          builder: (context, exploded, _) => LayerStack(
            client: lamina,
            arrangement: arrangement,
            exploded: exploded,
            placeholder: const CircularProgressIndicator(),
            // Each move of a finger is a step; those of one drag are one for a person.
            onChanged: (moved) => setState(() => _steps.last = moved),
            onSelected: (layer) => setState(() {
              _selected = layer?.layer.id;
              if (layer != null) _steps.add(_steps.last);
            }),
            errorBuilder: (context, sentence, retry) => Column(
              mainAxisSize: MainAxisSize.min,
              children: [
                Text(sentence),
                TextButton(onPressed: retry, child: const Text('Try again')),
              ],
            ),
          ),
        ),
      ),
      LayerList(arrangement: arrangement, selected: _selected, onChanged: _arrange),
    ],
  );
}
